#!lua name=tracker_1
--[[
The fenced write of the tracker: tracker_claim_1 and tracker_commit_1. Redis 7.0 or later, or Valkey 7.2 or later.

The library and its functions carry a version, for a function's name is global over libraries: a change of arguments or
of meaning takes the next number and is loaded beside this one, so that old and new workers run together during a
rolling upgrade. FUNCTION DELETE tracker_<n> once no worker of version n runs.

Keys of partition p, all with the hash tag {p}, so in one slot of Redis Cluster and all declared in KEYS:
  {p}:pos       hash    epoch, version, offset, sequence, clock: where the partition stands (streams/store.py, Position)
  {p}:c:<id>    string  the compact row of one customer (handlers/layout.py)
  {p}:due       zset    customer ids scored by the time they must be looked at again, epoch ms
  {p}:outbox    stream  what waits for Kafka, id <sequence>-0, one field m: an Outgoing as msgpack

Why each call is whole or nothing:
  - Redis runs a function alone, start to end, and sends what it wrote to replicas and to the AOF as one MULTI ... EXEC,
    so neither another client, nor a replica, nor a restart from a cut AOF sees half of it.
  - It is not rolled back, so an error after the first write would leave half a commit. Hence everything that can be
    refused is asked before the first write:
      * memory, disk, replicas, role: the functions have no flags, so Redis checks OOM, MISCONF, NOREPLICAS and READONLY
        once, before the call, and not again inside it. A commit that starts below maxmemory is finished, also when it
        ends above.
      * rights: every command used is asked of the user's ACL beforehand.
      * types: HMGET, ZCARD and XLEN fail on a key of another type; MSET overwrites any type.
      * arguments: counted, and every score read as a number.
      * the outbox: XADD fails when the stream already has that id or a later one (somebody wrote to it by hand), so the
        first entry is the first write of all; when it is taken the later ones, with greater ids, are taken too.
  - FUNCTION KILL cannot stop a function that has written.

No number is computed with but outbox ids and scores, which are exact up to 2^53; positions travel as text.
maxmemory-policy must be noeviction (the default): an evicted row is a customer forgotten.
]]

local FIELDS = { 'epoch', 'version', 'offset', 'sequence', 'clock' }
local SPAN = 2000 -- arguments handed to one MSET, ZADD or ZREM; Lua's stack takes fewer than 8000

local function refused(text)
  return redis.error_reply('ERR tracker: ' .. text)
end

-- tracker_claim_1 1 {p}:pos
-- Raises the epoch by one and answers epoch, version, offset, sequence, clock; nil for a field never written.
-- Whole: HINCRBY is the one write.
local function claim(keys)
  redis.call('HINCRBY', keys[1], 'epoch', 1)
  return redis.call('HMGET', keys[1], unpack(FIELDS))
end

-- 'OK' when the partition stands where the caller left it.
-- FENCED: a newer owner has claimed. MOVED: the stored position is not the caller's last (failed over to an older copy).
-- The whole position is compared, not the version alone: after a failover two owners may count to the same version.
local function standing(pos, args)
  local stored = redis.call('HMGET', pos, unpack(FIELDS))
  if stored[1] and tonumber(stored[1]) > tonumber(args[1]) then return 'FENCED' end
  for i = 1, 5 do
    if (stored[i] or (i > 1 and '0')) ~= args[i] then return 'MOVED' end
  end
  return 'OK'
end

local function allowed(pos, due, outbox, row)
  return redis.acl_check_cmd('HMGET', pos, 'epoch')
    and redis.acl_check_cmd('HSET', pos, 'epoch', '0')
    and redis.acl_check_cmd('ZCARD', due)
    and redis.acl_check_cmd('XLEN', outbox)
    and redis.acl_check_cmd('ZADD', due, '0', '0')
    and redis.acl_check_cmd('ZREM', due, '0')
    and redis.acl_check_cmd('XADD', outbox, '*', 'm', '0')
    and redis.acl_check_cmd('XTRIM', outbox, 'MINID', '0')
    and redis.acl_check_cmd('MSET', row, '0')
end

-- The n rows in spans of one MSET each, which costs Redis a quarter less than SET after SET.
local function set_rows(keys, args, n)
  local pairs_of_span, filled = {}, 0
  for i = 1, n do
    pairs_of_span[filled + 1], pairs_of_span[filled + 2] = keys[3 + i], args[12 + i]
    filled = filled + 2
    if filled == SPAN or i == n then
      redis.call('MSET', unpack(pairs_of_span, 1, filled))
      filled = 0
    end
  end
end

local function in_spans(command, key, args, first, last)
  for i = first, last, SPAN do
    redis.call(command, key, unpack(args, i, math.min(i + SPAN - 1, last)))
  end
end

-- tracker_commit_1 <3 + rows> {p}:pos {p}:due {p}:outbox {p}:c:<id>...
--   1-5    where the caller believes the partition stands: epoch, version, offset, sequence, clock
--   6-9    the new version, offset, sequence, clock
--   10     the first outbox sequence to keep (0 keeps all)
--   11-12  how many outbox entries, how many customers leave the due set
--   then   a row per key, the outbox entries, the customers that leave, and score, customer of those that are due
-- Answers OK, FENCED or MOVED; nothing is written but on OK.
local function commit(keys, args)
  local pos, due, outbox = keys[1], keys[2], keys[3]
  local rows, entries, leaving = #keys - 3, tonumber(args[11]), tonumber(args[12])
  local entry_at = 12 + rows
  local leave_at = entry_at + entries
  local due_at = leave_at + leaving
  if due_at > #args or (#args - due_at) % 2 ~= 0 then return refused('the arguments do not add up') end
  for i = due_at + 1, #args, 2 do
    if not tonumber(args[i]) then return refused('a due time is not a number') end
  end
  if not allowed(pos, due, outbox, keys[4] or pos) then
    return redis.error_reply('NOPERM tracker: the user may not run every command that a commit needs')
  end
  local verdict = standing(pos, args)
  if verdict ~= 'OK' then return verdict end
  redis.call('ZCARD', due)
  redis.call('XLEN', outbox)

  local sequence = tonumber(args[8]) - entries
  for i = 1, entries do
    redis.call('XADD', outbox, string.format('%.0f-0', sequence + i), 'm', args[entry_at + i])
  end
  set_rows(keys, args, rows)
  in_spans('ZREM', due, args, leave_at + 1, due_at)
  in_spans('ZADD', due, args, due_at + 1, #args)
  if args[10] ~= '0' then redis.call('XTRIM', outbox, 'MINID', args[10]) end
  redis.call('HSET', pos, 'version', args[6], 'offset', args[7], 'sequence', args[8], 'clock', args[9])
  return 'OK'
end

redis.register_function('tracker_claim_1', claim)
redis.register_function('tracker_commit_1', commit)

#!lua name=tracker_2
--[[
The fenced write of the tracker: tracker_claim_2 and tracker_commit_2. Redis 7.0 or later, or Valkey 7.2 or later.

The library and its functions carry a version, for a function's name is global over libraries: a change of arguments or
of meaning takes the next number and is loaded beside this one, so that old and new workers run together during a
rolling upgrade. FUNCTION DELETE tracker_<n> once no worker of version n runs.

Keys of partition p, all with the hash tag {p}, so in one slot of Redis Cluster and all declared in KEYS:
  {p}:pos       hash    epoch, version, offset, sequence, clock, events, oldest, outcomes, customer_events: where the
                        partition stands (streams/store/port.py, Position)
  {p}:c:<id>    string  the compact row of one customer (handlers/state/codec.py)
  {p}:due       zset    customer ids scored by the time they must be looked at again, epoch ms
  {p}:seen:<n>  string  16 bytes an event, and a stream time at the end (handlers/intake/dedup.py)
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
      * types: HMGET, ZCARD, XLEN and STRLEN fail on a key of another type; MSET overwrites any type.
      * arguments: counted, and every score read as a number.
      * the outbox: XADD fails when the stream already has that id or a later one (somebody wrote to it by hand), so the
        first entry is the first write of all; when it is taken the later ones, with greater ids, are taken too.
  - FUNCTION KILL cannot stop a function that has written.

No number is computed with but outbox ids and scores, which are exact up to 2^53; positions travel as text.
maxmemory-policy must be noeviction (the default): an evicted row is a customer forgotten.
]]

local FIELDS = { 'epoch', 'version', 'offset', 'sequence', 'clock', 'events', 'oldest', 'outcomes', 'customer_events' }
local NEW = #FIELDS + 1 -- place of the argument that is the new version; the other new fields follow
local COUNTS = 2 * #FIELDS -- place of the argument that is the first sequence to keep; four counts follow
local SPAN = 2000 -- arguments handed to one MSET, ZADD or ZREM; Lua's stack takes fewer than 8000

local function refused(text)
  return redis.error_reply('ERR tracker: ' .. text)
end

-- 'OK' when the partition stands where the caller left it.
-- FENCED: a newer owner has claimed. MOVED: the stored position is not the caller's last (failed over to an older copy).
-- The whole position is compared, not the version alone: after a failover two owners may count to the same version.
local function standing(pos, args)
  local stored = redis.call('HMGET', pos, unpack(FIELDS))
  if stored[1] and tonumber(stored[1]) > tonumber(args[1]) then return 'FENCED' end
  for i = 1, #FIELDS do
    if (stored[i] or (i > 1 and '0')) ~= args[i] then return 'MOVED' end
  end
  return 'OK'
end

-- Commands that a commit and a claim run, on which key, with arguments that suffice to ask for the right.
local NEEDS = {
  { 'HMGET', 'pos', 'epoch' },
  { 'HSET', 'pos', 'epoch', '0' },
  { 'HINCRBY', 'pos', 'epoch', '1' },
  { 'ZCARD', 'due' },
  { 'XLEN', 'outbox' },
  { 'ZADD', 'due', '0', '0' },
  { 'ZREM', 'due', '0' },
  { 'XADD', 'outbox', '*', 'm', '0' },
  { 'XTRIM', 'outbox', 'MINID', '0' },
  { 'STRLEN', 'seen:*' },
  { 'SETRANGE', 'seen:*', '0', '0' },
  { 'DEL', 'seen:*' },
  { 'MSET', 'c:*', '0' },
}

-- The error that names a right which the user does not have, nil when all are there. Keys by the name of their kind.
local function lacking(key_of)
  for i = 1, #NEEDS do
    local need = NEEDS[i]
    if not redis.acl_check_cmd(need[1], key_of[need[2]], unpack(need, 3)) then
      return redis.error_reply(
        "NOPERM tracker: the user may not run the '" .. string.lower(need[1]) .. "' command on {*}:" .. need[2]
      )
    end
  end
end

-- tracker_claim_2 1 {p}:pos
-- Raises the epoch by one and answers the fields in their order; nil for a field never written.
-- Whole: HINCRBY is the one write. Refused also where the user lacks a right that only a commit needs: so that it is
-- said at once and not when the partition has come to need it.
local function claim(keys)
  local tag = string.sub(keys[1], 1, -4)
  local refusal = lacking({
    pos = keys[1], due = tag .. 'due', outbox = tag .. 'outbox', ['seen:*'] = tag .. 'seen:0', ['c:*'] = tag .. 'c:'
  })
  if refusal then return refusal end
  redis.call('HINCRBY', keys[1], 'epoch', 1)
  return redis.call('HMGET', keys[1], unpack(FIELDS))
end

-- The n rows in spans of one MSET each, which costs Redis a quarter less than SET after SET. The first one's key and
-- argument come after those places.
local function set_rows(keys, key_at, args, arg_at, n)
  local pairs_of_span, filled = {}, 0
  for i = 1, n do
    pairs_of_span[filled + 1], pairs_of_span[filled + 2] = keys[key_at + i], args[arg_at + i]
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

-- tracker_commit_2 <keys> {p}:pos {p}:due {p}:outbox {p}:seen:<n>... (to write) {p}:seen:<n>... (to forget) {p}:c:<id>...
--   1-9    where the caller believes the partition stands: the fields in their order
--   10-17  the new fields, without the epoch
--   18     the first outbox sequence to keep (0 keeps all)
--   19-22  how many outbox entries, customers that leave the due set, segments to write, segments to forget
--   then   a row per key, the outbox entries, the customers that leave, start and bytes for each segment to write,
--          and score, customer of those that are due
-- Answers OK, FENCED or MOVED; nothing is written but on OK.
local function commit(keys, args)
  local pos, due, outbox = keys[1], keys[2], keys[3]
  local entries, leaving = tonumber(args[COUNTS + 1]), tonumber(args[COUNTS + 2])
  local pieces, forgotten = tonumber(args[COUNTS + 3]), tonumber(args[COUNTS + 4])
  local row_key_at, row_at = 3 + pieces + forgotten, COUNTS + 4
  local rows = #keys - row_key_at
  local entry_at = row_at + rows
  local leave_at = entry_at + entries
  local piece_at = leave_at + leaving
  local due_at = piece_at + 2 * pieces
  if rows < 0 or due_at > #args or (#args - due_at) % 2 ~= 0 then return refused('the arguments do not add up') end
  for i = due_at + 1, #args, 2 do
    if not tonumber(args[i]) then return refused('a due time is not a number') end
  end
  for i = 1, pieces do
    local start = tonumber(args[piece_at + 2 * i - 1])
    if not start or start < 0 or start > 1048576 then return refused('a segment does not start there') end
  end
  local refusal = lacking({
    pos = pos, due = due, outbox = outbox, ['seen:*'] = keys[4] or pos, ['c:*'] = keys[row_key_at + 1] or pos
  })
  if refusal then return refusal end
  local verdict = standing(pos, args)
  if verdict ~= 'OK' then return verdict end
  redis.call('ZCARD', due)
  redis.call('XLEN', outbox)
  for i = 1, pieces do redis.call('STRLEN', keys[3 + i]) end

  local sequence = tonumber(args[NEW + 2]) - entries
  for i = 1, entries do
    redis.call('XADD', outbox, string.format('%.0f-0', sequence + i), 'm', args[entry_at + i])
  end
  set_rows(keys, row_key_at, args, row_at, rows)
  in_spans('ZREM', due, args, leave_at + 1, piece_at)
  in_spans('ZADD', due, args, due_at + 1, #args)
  for i = 1, pieces do redis.call('SETRANGE', keys[3 + i], args[piece_at + 2 * i - 1], args[piece_at + 2 * i]) end
  for i = 1, forgotten do redis.call('DEL', keys[3 + pieces + i]) end
  if args[COUNTS] ~= '0' then redis.call('XTRIM', outbox, 'MINID', args[COUNTS]) end
  local position = {}
  for i = 2, #FIELDS do
    position[#position + 1], position[#position + 2] = FIELDS[i], args[NEW + i - 2]
  end
  redis.call('HSET', pos, unpack(position))
  return 'OK'
end

redis.register_function('tracker_claim_2', claim)
redis.register_function('tracker_commit_2', commit)

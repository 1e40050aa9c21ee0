#!lua name=tracker_profile
--[[
One customer's aggregates for any Redis client, with every window evaluated at the moment of reading, read only.

  FCALL_RO tracker_profile 1 {p}:c:<customer_id> <now, epoch ms> [feature name...]
    A flat list name, value, name, value...: every feature, or those named, in that order (docs/features.md).
    Values are text: whole numbers in decimal, the others in the 17 digits that give the same double back. Nil where
    the customer has none. Nil for the whole answer when the customer is unknown.
    p is the customer's partition of the topic `transactions`.
  FCALL_RO tracker_profile_edition 0
    Row layout version and a fingerprint of this text: the workers replace it when theirs is newer.

Keys: {p}:c:<customer_id>, the compact row (handlers/state/codec.py), read with one GET. Nothing is written.

Numbers are Lua's doubles, exact up to 2^53 (90 million million of a currency with cents); sums beyond that are rounded.
Below it every answer equals handlers/aggregates/evaluate.py to the last bit.

FEATURES, ROW and the lengths of tiles come from the Python declarations; they are put in where the line PARAMETERS
stands, when the library is loaded (streams/store/profile_library.py). A feature is an operator over a column of tiles
(handlers/aggregates/columns.py): of those of a day numbers are columns too, counts by channel and then by type.
]]

-- PARAMETERS

-- While a library is loaded Redis offers it nothing of Lua's own: no math, no ipairs. Inside a call all is there.
local function floor(x) return x - x % 1 end
local function min(a, b) return a < b and a or b end
local function max(a, b) return a > b and a or b end

local PLACE = {}
for place = 1, #FEATURES do PLACE[FEATURES[place].name] = place end

-- a + b, held where the writer holds its sums.
local function add(a, b)
  return min(max(a + b, -ROW.minor_limit), ROW.minor_limit)
end

-- Reads a row from its second byte on: `byte` one byte, `number` a varint of a zigzag; `place` says where it stands.
local function reader(row)
  local at = 2
  local function byte()
    at = at + 1
    return row:byte(at - 1)
  end
  local function number()
    local b = byte()
    local negative = b % 2 == 1
    local value, scale = floor(b % 128 / 2), 64
    while b >= 128 do
      b = byte()
      value = value + b % 128 * scale
      scale = scale * 128
    end
    return negative and -value - 1 or value
  end
  -- The id of an account: how many bytes it shares with the one before, if any, as a negative number; then the others.
  local function skip_id()
    local length = number()
    if length < 0 then length = number() end
    at = at + length
  end
  local function place() return at end
  return byte, number, skip_id, place
end

-- Newest first, as they are stored.
local function read_tiles(number, tile)
  local tiles = {}
  for k = 1, number() do
    tile = tile - number()
    local head = number()
    local t = { at = tile, count = floor(head / 4), ['in'] = 0, out = 0 }
    if head % 2 == 1 then t['in'] = number() end
    if floor(head / 2) % 2 == 1 then t.out = number() end
    tiles[k] = t
  end
  return tiles
end

-- Counts by channel, then by type, from place 0, into the day.
local function read_list(day, number, entries)
  for _ = 1, entries do
    local entry = number()
    day[entry % 32] = floor(entry / 32)
  end
end

local function count_pair(day, channel, kind)
  day[channel] = (day[channel] or 0) + 1
  day[ROW.channels + kind] = (day[ROW.channels + kind] or 0) + 1
end

-- The largest credit is no more than what is left of the day's.
local function set_credit(day, largest)
  local credit = min(largest, day['in'])
  if credit > 0 then day.credit = credit end
end

-- Days of version 1.
local function read_days_1(byte, number, tile)
  local days = {}
  for k = 1, number() do
    tile = tile - number()
    local flags = byte()
    local function has(bit) return floor(flags / bit) % 2 == 1 end
    local day = { at = tile, count = number(), ['in'] = 0, out = 0 }
    if has(1) then day['in'] = number() end
    if has(2) then day.out = number() end
    day.own = has(4) and number() or day.count
    set_credit(day, has(8) and (has(16) and day['in'] or number()) or 0)
    if has(32) then
      day.low = number()
      day.high = day.low + number()
    end
    if has(64) then
      local head = byte()
      if head < 128 then
        count_pair(day, floor(head / ROW.types_1), head % ROW.types_1)
      else
        read_list(day, number, head - 128)
      end
    end
    days[k] = day
  end
  return days
end

-- The days as handlers/state/day_list.py and handlers/state/day_codec.py write them.
local function read_days(byte, number, tile, place)
  -- 2, 3 or 8 bytes of a zigzag, lowest first; 0 where the width is 0
  local function fixed(width)
    if width == 0 then return 0 end
    local b = byte()
    local negative, value, scale = b % 2 == 1, floor(b / 2), 128
    for _ = 2, width == 3 and 8 or width + 1 do
      value = value + byte() * scale
      scale = scale * 256
    end
    return negative and -value - 1 or value
  end
  local days = {}
  for k = 1, number() do
    local step = byte()
    local back, length = floor(step / 32), step % 32
    if back == 7 then back = number() end
    if length == 31 then length = number() end
    tile = tile - back
    local after = place() + length
    local head = byte()
    local more = head >= 128 and byte() or 0
    local function two(from, scale) return floor(from / scale) % 4 end
    local counts = floor(head / 16) % 8
    local day = { at = tile, count = counts < 3 and counts + 1 or counts == 4 and 1 or number() }
    day.own = counts <= 3 and day.count or counts == 6 and number() or 0
    day['in'] = fixed(head % 4)
    day.out = fixed(two(head, 4))
    local largest, low = more % 4, two(more, 4)
    set_credit(day, largest == 1 and day['in'] or fixed(largest))
    if low > 0 then
      day.low = fixed(low)
      day.high = day.low + fixed(two(more, 16))
    end
    local mix = two(more, 64)
    if head < 128 and place() < after then mix = 1 end
    if mix == 1 then
      for _ = 1, day.count do
        local pair = byte()
        count_pair(day, floor(pair / 32), pair % 32)
      end
    elseif mix == 2 then
      read_list(day, number, number())
    end
    days[k] = day
  end
  return days
end

-- Numbers of beliefs that stood among the lifetime figures, by version; later ones have them in sections.
local FIGURES_OF_BELIEFS = { 3, 5 }

-- What stands behind the days, the sections, is not looked at.
local function opened(row)
  local version = row:byte(1)
  local byte, number, skip_id, place = reader(row)
  local s, life = {}, {}
  life.first = number()
  local last = life.first + number()
  life.last_own = last - number()
  local newest = last + number()
  life.count, life['in'], life.out = number(), number(), number()
  s.life = life
  s.accounts_lost = floor(number() / ROW.accounts_lost) % 2 == 1
  for _ = 1, FIGURES_OF_BELIEFS[version] or 0 do number() end
  s.balances = {}
  for k = 1, number() do
    skip_id()
    s.balances[k] = number()
    number()
  end
  if version == 1 then
    for _ = 1, 2 * number() do number() end
  elseif version == 2 then
    for _ = 1, number() do
      skip_id()
      for _ = 1, 3 do number() end
    end
  end
  s.five = read_tiles(number, floor(newest / FIVE_MS))
  s.hour = read_tiles(number, floor(newest / HOUR_MS))
  s.day = (version == 1 and read_days_1 or read_days)(byte, number, floor(newest / DAY_MS), place)
  return s
end

-- Combines a column of `count` tiles; the newest of them is `back` tiles before that of `now`. nil when none has it.
local function over(s, f, column, back, count, now, combine, value)
  local last = floor(now / f.length) - back
  for _, tile in ipairs(s[f.tiles]) do
    if tile.at <= last - count then break end
    local found = tile[column]
    if found and tile.at <= last then value = value and combine(value, found) or found end
  end
  return value
end

local function sum(s, f, column, now)
  if not f.tiles then return s.life[column] end
  return over(s, f, column, 0, f.window, now, add, 0)
end

-- Between days on which the column is positive, among those of the window that ends with the last, ascending.
local function sorted_gaps(s, f)
  local gaps, later, last = {}, nil, floor(s.life.last_own / DAY_MS)
  for _, day in ipairs(s.day) do
    if day[f.column] > 0 and day.at > last - f.window and day.at <= last then
      if later then gaps[#gaps + 1] = later - day.at end
      later = day.at
    end
  end
  table.sort(gaps)
  return gaps
end

local function mean(values)
  local total = 0
  for _, value in ipairs(values) do total = total + value end
  return total / #values
end

local function count_positive(n, value) return value > 0 and n + 1 or n end

-- By a feature's operator: function of the opened row, the feature and now; nil where missing.
local compute = {}
function compute.sum(s, f, now)
  if f.column == 'net' then return add(sum(s, f, 'in', now), -sum(s, f, 'out', now)) end
  return sum(s, f, f.column, now)
end
function compute.max(s, f, now) return over(s, f, f.column, 0, f.window, now, max) end
function compute.min(s, f, now) return over(s, f, f.column, 0, f.window, now, min) end
function compute.days_positive(s, f, now) return over(s, f, f.column, 0, f.window, now, count_positive, 0) end
function compute.share(s, f, now)
  local total = sum(s, f, 'count', now)
  return total > 0 and sum(s, f, f.column, now) / total or nil
end
function compute.ratio(s, f, now)
  local before = over(s, f, f.column, f.window, f.before, now, add, 0)
  return before > 0 and (sum(s, f, f.column, now) / f.window) / (before / f.before) or nil
end
function compute.gap_mean(s, f)
  local gaps = sorted_gaps(s, f)
  return #gaps > 0 and mean(gaps) or nil
end
function compute.gap_sd(s, f)
  local gaps = sorted_gaps(s, f)
  if #gaps == 0 then return nil end
  local middle, squares = mean(gaps), {}
  for k, gap in ipairs(gaps) do squares[k] = (gap - middle) * (gap - middle) end
  return math.sqrt(mean(squares))
end
function compute.gap_q90(s, f)
  local gaps = sorted_gaps(s, f)
  return gaps[floor((9 * #gaps + 9) / 10)]
end
function compute.since(s, f, now)
  local moment = s.life[f.column]
  return moment ~= 0 and max(now - moment, 0) / DAY_MS or nil
end
function compute.days_since(s, f, now)
  local moment = s.life[f.column]
  return moment ~= 0 and max(floor(now / DAY_MS) - floor(moment / DAY_MS), 0) or nil
end
function compute.rate(s, f, now)
  local first = s.life.first
  return first ~= 0 and s.life[f.column] / max((now - first) / DAY_MS, 30) * 30 or nil
end
function compute.last(s, f)
  if s.accounts_lost then return nil end
  if f.column == 'accounts' then return #s.balances end
  local sign, total = f.column == 'debt' and -1 or 1, 0
  for _, balance in ipairs(s.balances) do total = add(total, max(sign * balance, 0)) end
  return #s.balances > 0 and total or nil
end

local function places(args)
  local wanted = {}
  if #args == 1 then
    for place in ipairs(FEATURES) do wanted[place] = place end
  end
  for i = 2, #args do
    local place = PLACE[args[i]]
    if not place then return nil end
    wanted[i - 1] = place
  end
  return wanted
end

local function profile(keys, args)
  local now = #keys == 1 and tonumber(args[1])
  if not now or now ~= floor(now) then
    return redis.error_reply('ERR write FCALL_RO tracker_profile 1 {p}:c:<customer_id> <now, epoch ms> [feature...]')
  end
  local wanted = places(args)
  if not wanted then return redis.error_reply('ERR tracker_profile: no such feature, see docs/features.md') end
  local row = redis.call('GET', keys[1])
  if not row then return false end
  if row:byte(1) > ROW.version then
    return redis.error_reply('ERR tracker_profile: the row has a later layout version than ' .. ROW.version)
  end
  local s, answer = opened(row), {}
  for i, place in ipairs(wanted) do
    local feature = FEATURES[place]
    local value = compute[feature.operator](s, feature, now)
    answer[2 * i - 1] = feature.name
    answer[2 * i] = value and string.format(feature.exact and '%.0f' or '%.17g', value) or false
  end
  return answer
end

redis.register_function{ function_name = 'tracker_profile', callback = profile, flags = { 'no-writes' } }
local function edition() return EDITION end
redis.register_function{ function_name = 'tracker_profile_edition', callback = edition, flags = { 'no-writes' } }

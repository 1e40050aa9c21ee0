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

The table FEATURES and the numbers in ROW and MEASURE come from the Python declarations; they are put in where the
line PARAMETERS stands, when the library is loaded (streams/store/profile_library.py).
]]

-- PARAMETERS

local FIVE_MS, HOUR_MS, DAY_MS = 300000, 3600000, 86400000

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
    local t = { at = tile, floor(head / 4), 0, 0 }
    if head % 2 == 1 then t[2] = number() end
    if floor(head / 2) % 2 == 1 then t[3] = number() end
    tiles[k] = t
  end
  return tiles
end

-- Counts by channel, then by type, from place 0.
local function read_list(number, entries)
  local mix = {}
  for _ = 1, entries do
    local entry = number()
    mix[entry % 32] = floor(entry / 32)
  end
  return mix
end

local function read_pairs(byte, count)
  local mix = {}
  for _ = 1, count do
    local pair = byte()
    local channel, kind = floor(pair / 32), ROW.channels + pair % 32
    mix[channel] = (mix[channel] or 0) + 1
    mix[kind] = (mix[kind] or 0) + 1
  end
  return mix
end

-- Days of version 1.
local function read_days_1(byte, number, tile)
  local days = {}
  for k = 1, number() do
    tile = tile - number()
    local flags = byte()
    local function has(bit) return floor(flags / bit) % 2 == 1 end
    local day = { at = tile, number(), 0, 0 }
    if has(1) then day[2] = number() end
    if has(2) then day[3] = number() end
    day.own = has(4) and number() or day[1]
    day.largest = has(8) and (has(16) and day[2] or number()) or 0
    if has(32) then
      day.low = number()
      day.high = day.low + number()
    end
    day.mix = {}
    if has(64) then
      local head = byte()
      if head < 128 then
        day.mix = { [floor(head / ROW.types_1)] = 1, [ROW.channels + head % ROW.types_1] = 1 }
      else
        day.mix = read_list(number, head - 128)
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
    local day = { at = tile, counts < 3 and counts + 1 or counts == 4 and 1 or number(), 0, 0 }
    day.own = counts <= 3 and day[1] or counts == 6 and number() or 0
    day[2] = fixed(head % 4)
    day[3] = fixed(two(head, 4))
    local largest, low = more % 4, two(more, 4)
    day.largest = largest == 1 and day[2] or fixed(largest)
    if low > 0 then
      day.low = fixed(low)
      day.high = day.low + fixed(two(more, 16))
    end
    local mix = two(more, 64)
    if head < 128 and place() < after then mix = 1 end
    day.mix = mix == 0 and {} or mix == 1 and read_pairs(byte, day[1]) or read_list(number, number())
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
  local s = {}
  s.first = number()
  local last = s.first + number()
  s.last_own = last - number()
  local newest = last + number()
  s.life = { number(), number(), number() }
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

-- Of one column over the tiles first..last.
local function sum(tiles, first, last, value)
  local total = 0
  for _, tile in ipairs(tiles) do
    if tile.at < first then break end
    if tile.at <= last then total = add(total, value(tile)) end
  end
  return total
end

local COLUMN = {}
for column = 1, 3 do COLUMN[column] = function(tile) return tile[column] end end

local function flow(s, column, hours, now)
  if hours == 0 then return s.life[column] end
  if hours == 1 then
    local last = floor(now / FIVE_MS)
    return sum(s.five, last - 11, last, COLUMN[column])
  end
  if hours <= 168 then
    local last = floor(now / HOUR_MS)
    return sum(s.hour, last - hours + 1, last, COLUMN[column])
  end
  local last = floor(now / DAY_MS)
  return sum(s.day, last - floor(hours / 24) + 1, last, COLUMN[column])
end

-- The best of what `value` gives for the days of the window; nil when it gives nothing.
local function extreme(s, hours, now, value, better)
  local last = floor(now / DAY_MS)
  local first, best = last - floor(hours / 24) + 1, nil
  for _, day in ipairs(s.day) do
    if day.at >= first and day.at <= last then
      local found = value(day)
      if found then best = best and better(best, found) or found end
    end
  end
  return best
end

local function share(s, place, now)
  local last = floor(now / DAY_MS)
  local total = sum(s.day, last - 89, last, COLUMN[1])
  if total <= 0 then return nil end
  return sum(s.day, last - 89, last, function(day) return day.mix[place] or 0 end) / total
end

local function trend(s, column, now)
  local last = floor(now / DAY_MS)
  local before = sum(s.day, last - 89, last - 30, COLUMN[column])
  if before <= 0 then return nil end
  return (sum(s.day, last - 29, last, COLUMN[column]) / 30) / (before / 60)
end

-- Between active days among the 180 that end with the last, ascending.
local function sorted_gaps(s)
  local gaps, later, last = {}, nil, floor(s.last_own / DAY_MS)
  for _, day in ipairs(s.day) do
    if day.own > 0 and day.at > last - ROW.days_kept and day.at <= last then
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

-- What each measure is: function of the opened row, the feature and now; nil where missing.
local compute = {}
local FLOWS = { 'COUNT', 'IN', 'OUT' }
for column = 1, 3 do
  compute[MEASURE[FLOWS[column]]] = function(s, f, now) return flow(s, column, f.hours, now) end
  compute[MEASURE['TREND_' .. FLOWS[column]]] = function(s, _, now) return trend(s, column, now) end
end
compute[MEASURE.NET] = function(s, f, now) return add(flow(s, 2, f.hours, now), -flow(s, 3, f.hours, now)) end
compute[MEASURE.LARGEST_CREDIT] = function(s, f, now)
  local function largest(day) return min(day.largest, day[2]) end
  return extreme(s, f.hours, now, function(day) return largest(day) > 0 and largest(day) end, max)
end
compute[MEASURE.BALANCE_LOW] = function(s, f, now)
  return extreme(s, f.hours, now, function(day) return day.low end, min)
end
compute[MEASURE.BALANCE_HIGH] = function(s, f, now)
  return extreme(s, f.hours, now, function(day) return day.high end, max)
end
compute[MEASURE.ACTIVE_DAYS] = function(s, f, now)
  local function active(day) return day.own > 0 and 1 end
  return extreme(s, f.hours, now, active, function(a, b) return a + b end) or 0
end
compute[MEASURE.CHANNEL_SHARE] = function(s, f, now) return share(s, f.part, now) end
compute[MEASURE.TYPE_SHARE] = function(s, f, now) return share(s, ROW.channels + f.part, now) end
compute[MEASURE.GAP_MEAN] = function(s)
  local gaps = sorted_gaps(s)
  return #gaps > 0 and mean(gaps) or nil
end
compute[MEASURE.GAP_SD] = function(s)
  local gaps = sorted_gaps(s)
  if #gaps == 0 then return nil end
  local middle, squares = mean(gaps), {}
  for k, gap in ipairs(gaps) do squares[k] = (gap - middle) * (gap - middle) end
  return math.sqrt(mean(squares))
end
compute[MEASURE.GAP_Q90] = function(s)
  local gaps = sorted_gaps(s)
  return gaps[floor((9 * #gaps + 9) / 10)]
end
compute[MEASURE.RECENCY] = function(s, _, now) return s.last_own ~= 0 and (now - s.last_own) / DAY_MS or nil end
compute[MEASURE.SILENCE] = function(s, _, now)
  return s.last_own ~= 0 and floor(now / DAY_MS) - floor(s.last_own / DAY_MS) or nil
end
compute[MEASURE.TENURE] = function(s, _, now) return s.first ~= 0 and (now - s.first) / DAY_MS or nil end
compute[MEASURE.FREQUENCY] = function(s, _, now)
  if s.first == 0 then return nil end
  return s.life[1] / max((now - s.first) / DAY_MS, 30) * 30
end
local function balances(s, sign)
  local total = 0
  for _, balance in ipairs(s.balances) do total = add(total, max(sign * balance, 0)) end
  return #s.balances > 0 and not s.accounts_lost and total or nil
end
compute[MEASURE.BALANCE] = function(s) return balances(s, 1) end
compute[MEASURE.DEBT] = function(s) return balances(s, -1) end
compute[MEASURE.ACCOUNTS] = function(s) return not s.accounts_lost and #s.balances or nil end

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
    local value = compute[feature.measure](s, feature, now)
    answer[2 * i - 1] = feature.name
    answer[2 * i] = value and string.format(feature.exact and '%.0f' or '%.17g', value) or false
  end
  return answer
end

redis.register_function{ function_name = 'tracker_profile', callback = profile, flags = { 'no-writes' } }
local function edition() return EDITION end
redis.register_function{ function_name = 'tracker_profile_edition', callback = edition, flags = { 'no-writes' } }

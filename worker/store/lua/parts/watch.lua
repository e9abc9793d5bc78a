--!include quota
-- Advice: one alert per account, matter and day, open for as long as what it says holds.
-- watches: <account|matter> -> JSON {key of the alert that stands, usual = share before it}

-- the date of a time, in UTC (Howard Hinnant's days-to-civil)
local function date_of(now)
  local z = math.floor(now / 86400000000) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02d', year, month, doy - math.floor((153 * mp + 2) / 5) + 1)
end

local function watch_read(field)
  local text = redis.call('HGET', k_watches(), field)
  return text and cjson.decode(text)
end

-- says how a matter stands now; true when somebody is told
local function watch(field, base, on, facts, now)
  local record = watch_read(field)
  local key = base .. ':' .. date_of(now)
  if record then
    local v = redis.call('HMGET', k_alert(record.key), 'state', 'acked')
    if not on then
      resolve_alert(record.key, now)
      redis.call('HDEL', k_watches(), field)
      return true
    end
    local known = v[1] == 'open' and v[2]
    if v[1] ~= 'untold' and (record.key == key or known) then
      if v[1] then redis.call('ZADD', k_alerts(), I(now), record.key) end
      return false
    end
    if record.key ~= key then resolve_alert(record.key, now) end
  elseif not on then
    return false
  end
  local usual = record and record.usual or facts.before
  redis.call('HSET', k_watches(), field, cjson.encode({key = key, usual = usual}))
  local state = redis.call('HGET', k_alert(key), 'state')
  if state and state ~= 'untold' then return false end   -- told today
  raise_alert(key, cjson.encode(facts), now)
  return true
end

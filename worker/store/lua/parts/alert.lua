--!include clock
-- One problem, one alert: opened once, counted while open, resolved once; each change goes to the outbox.
-- alert:<key> hash: state open|resolved|untold, gen, count, opened, changed, facts (JSON for whoever words it);
-- since a person has said that they know: acked (µs), acked_by, acked_why; and once one has ended it: ended_by, ended_why
-- outbox member: <key>#<gen>#<opened µs>#opened | …#resolved. An event's id is made of it alone, so a change that is
-- handed over twice has one id, whatever has become of its alert in between.

local LULL = 3600000000   -- a problem that was quiet for an hour and comes back is told again
-- Refusals are over when a call taken so long after the last one is answered. Sooner, a limit that is set too high would
-- be told with every window.
local CALM = 600000000
local CROWDED, FULL = 1000, 10000

--!late
local function alert_change(key, change)
  local v = redis.call('HMGET', k_alert(key), 'gen', 'opened')
  return key .. '#' .. (v[1] or '0') .. '#' .. (v[2] or '0') .. '#' .. change
end

-- While nobody takes alerts the outbox stays bounded: in a crowd an opening replaces what waits of its own key; when it
-- is full nothing is added, and what could not be told is told when it comes again.
--!late
local function outbox_room(key)
  local waiting = redis.call('ZCARD', k_outbox())
  if waiting >= CROWDED then
    redis.call('ZREM', k_outbox(), alert_change(key, 'opened'), alert_change(key, 'resolved'))
  end
  return waiting < FULL
end

--!late
local function raise_alert(key, facts, now)
  local state = redis.call('HGET', k_alert(key), 'state')
  redis.call('ZADD', k_alerts(), I(now), key)
  local changed = tonumber(redis.call('HGET', k_alert(key), 'changed') or 0)
  -- whoever knows of it is not told again before it was over
  if state == 'open' and (now - changed < LULL or redis.call('HEXISTS', k_alert(key), 'acked') == 1) then
    redis.call('HINCRBY', k_alert(key), 'count', 1)
    redis.call('HSET', k_alert(key), 'changed', I(now))
    return false
  end
  local room = outbox_room(key)
  redis.call('HINCRBY', k_alert(key), 'gen', 1)
  redis.call('HSET', k_alert(key), 'state', room and 'open' or 'untold', 'count', '1', 'opened', I(now),
    'changed', I(now), 'facts', facts)
  redis.call('HDEL', k_alert(key), 'acked', 'acked_by', 'acked_why', 'ended_by', 'ended_why')
  redis.call('SADD', k_alerts_open(), key)
  if room then redis.call('ZADD', k_outbox(), I(now), alert_change(key, 'opened')) end
  return room
end

--!late
local function resolve_alert(key, now)
  if redis.call('HGET', k_alert(key), 'state') ~= 'open' then return end
  redis.call('HSET', k_alert(key), 'state', 'resolved', 'changed', I(now))
  redis.call('SREM', k_alerts_open(), key)
  redis.call('ZADD', k_alerts(), I(now), key)
  if redis.call('ZCARD', k_outbox()) < FULL then
    redis.call('ZADD', k_outbox(), I(now), alert_change(key, 'resolved'))
  end
end

-- a call of this budget, taken at `at`, was answered and not refused
--!late
local function refusals_over(group, at, now)
  local changed = tonumber(redis.call('HGET', k_alert('refusal:' .. group), 'changed') or 0)
  if at - changed < CALM then return end
  resolve_alert('refusal:' .. group, now)
  redis.call('HDEL', k_refusals(), '?' .. group)
end

local function alert_asks(key)
  local v = redis.call('HMGET', k_alert(key), 'state', 'acked')
  return v[1] and v[1] ~= 'resolved' and not v[2]
end

-- A process of a version that does not know of the open ones raises and ends alerts as well: some are looked at anew.
local function alerts_counted()
  for _, key in ipairs(redis.call('SRANDMEMBER', k_alerts_open(), 50)) do
    if not alert_asks(key) then redis.call('SREM', k_alerts_open(), key) end
  end
  for _, key in ipairs(redis.call('ZREVRANGE', k_alerts(), 0, 49)) do
    if alert_asks(key) then redis.call('SADD', k_alerts_open(), key) end
  end
end

-- forgets what has not changed since `before`, unless it still waits to be told or a hold still stands
local function alerts_forget(before, now)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', k_alerts(), '-inf', I(before), 'LIMIT', 0, 50)) do
    local held = string.match(key, '^hold:(.*)$')
    if redis.call('ZSCORE', k_outbox(), alert_change(key, 'opened'))
        or redis.call('ZSCORE', k_outbox(), alert_change(key, 'resolved'))
        or (held and redis.call('HEXISTS', k_holds(), held) == 1) then
      redis.call('ZADD', k_alerts(), I(now), key)
    else
      redis.call('ZREM', k_alerts(), key)
      redis.call('SREM', k_alerts_open(), key)
      redis.call('DEL', k_alert(key))
    end
  end
end

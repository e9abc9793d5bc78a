--!include clock
-- One problem, one alert: opened once, counted while open, resolved once; each change goes to the outbox.
-- alert:<key> hash: state open|resolved, gen, count, opened, changed, facts (JSON for whoever words it)
-- outbox member: <key>#<gen>#opened | <key>#<gen>#resolved

local QUIET = 3600000000   -- a problem that was quiet for an hour and comes back is told again

local function raise_alert(key, facts, now)
  local state = redis.call('HGET', k_alert(key), 'state')
  redis.call('ZADD', k_alerts(), I(now), key)
  local changed = tonumber(redis.call('HGET', k_alert(key), 'changed') or 0)
  if state == 'open' and now - changed < QUIET then
    redis.call('HINCRBY', k_alert(key), 'count', 1)
    redis.call('HSET', k_alert(key), 'changed', I(now))
    return false
  end
  local gen = redis.call('HINCRBY', k_alert(key), 'gen', 1)
  redis.call('HSET', k_alert(key), 'state', 'open', 'count', '1', 'opened', I(now), 'changed', I(now), 'facts', facts)
  redis.call('ZADD', k_outbox(), I(now), key .. '#' .. I(gen) .. '#opened')
  return true
end

local function resolve_alert(key, now)
  if redis.call('HGET', k_alert(key), 'state') ~= 'open' then return end
  redis.call('HSET', k_alert(key), 'state', 'resolved', 'changed', I(now))
  redis.call('ZADD', k_alerts(), I(now), key)
  redis.call('ZADD', k_outbox(), I(now), key .. '#' .. redis.call('HGET', k_alert(key), 'gen') .. '#resolved')
end

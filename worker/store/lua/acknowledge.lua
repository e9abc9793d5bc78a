#!lua flags=allow-oom
--!include alert
-- A person says of an alert that they know of it (it is not told again until it was over), or that it is over.
-- KEYS[1] prefix; ARGV[2] JSON {key, by, reason, over = bool}
-- returns 'acknowledged' | 'already' (acknowledged before) | 'over' | 'resolved' (before) | 'missing'

local now = read_clock()
local state = redis.call('HGET', k_alert(A.key), 'state')
if not state then return 'missing' end
if state == 'resolved' then return 'resolved' end
if A.over then
  -- what nobody could be told while the outbox was full is over all the same
  redis.call('HSET', k_alert(A.key), 'state', 'open', 'ended_by', A.by, 'ended_why', A.reason or '')
  resolve_alert(A.key, now)
else
  if redis.call('HEXISTS', k_alert(A.key), 'acked') == 1 then return 'already' end
  redis.call('HSET', k_alert(A.key), 'state', 'open', 'acked', I(now), 'acked_by', A.by, 'acked_why', A.reason or '')
  redis.call('SREM', k_alerts_open(), A.key)
end
local what = A.over and 'alert_resolved' or 'alert_acknowledged'
redis.call('LPUSH', k_audit(), cjson.encode({at_us = I(now), what = what, alert = A.key, by = A.by, reason = A.reason}))
redis.call('LTRIM', k_audit(), 0, 9999)
return A.over and 'over' or 'acknowledged'

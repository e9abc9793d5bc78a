#!lua flags=allow-oom
--!include alert
-- A person says of a problem how it stands: that they know of it, that its cause is mended, that nobody wants to be told,
-- or that none of this is so any more. What ends such a word by itself is in parts/dead.lua.
-- KEYS[1] prefix; ARGV[2] JSON {problem, mark = 'acknowledged' | 'resolved' | 'ignored' | 'open', by, reason}
-- problem:<fp> hash fields mark, mark_by, mark_why, mark_at (µs); absent while it is open
-- returns 'marked' | 'already' | 'missing'

local now = read_clock()
local record, alert = k_problem(A.problem), 'problem:' .. A.problem
if redis.call('EXISTS', record) == 0 then return 'missing' end
if (redis.call('HGET', record, 'mark') or 'open') == A.mark then return 'already' end
if A.mark == 'open' then
  redis.call('HDEL', record, 'mark', 'mark_by', 'mark_why', 'mark_at')
else
  redis.call('HSET', record, 'mark', A.mark, 'mark_by', A.by, 'mark_why', A.reason, 'mark_at', I(now))
end
if redis.call('HGET', k_alert(alert), 'state') == 'open' then
  if A.mark == 'acknowledged' then
    if redis.call('HEXISTS', k_alert(alert), 'acked') == 0 then
      redis.call('HSET', k_alert(alert), 'acked', I(now), 'acked_by', A.by, 'acked_why', A.reason)
    end
  elseif A.mark ~= 'open' then
    redis.call('HSET', k_alert(alert), 'ended_by', A.by, 'ended_why', A.reason)
    resolve_alert(alert, now)
  end
end
redis.call('LPUSH', k_audit(), cjson.encode({at_us = I(now), what = 'problem ' .. A.mark, by = A.by, reason = A.reason,
  problem = A.problem}))
redis.call('LTRIM', k_audit(), 0, 9999)
return 'marked'

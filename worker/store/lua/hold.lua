#!lua flags=allow-oom
--!include hold
--!include facts
-- A person stops an account, a lane or a budget, at once for all processes; waiting jobs keep their place.
-- KEYS[1] prefix; ARGV[2] JSON {scope, by, reason}; returns 'held' | 'already'

need_type(A.scope, 'string', 'scope')
local now = read_clock()
if not hold_set(A.scope, {cause = 'operator', by = A.by, reason = A.reason}, nil, now) then return 'already' end
redis.call('LPUSH', k_audit(), cjson.encode({at_us = I(now), what = 'hold', scope = A.scope, by = A.by, reason = A.reason}))
redis.call('LTRIM', k_audit(), 0, 9999)
return 'held'

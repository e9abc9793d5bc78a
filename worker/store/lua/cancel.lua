#!lua flags=allow-oom
--!include dead
--!include recent
-- A waiting job will not be sent. KEYS[1] prefix; ARGV[2] JSON {id, by, reason}
-- returns 'cancelled' | 'already' (it was) | 'missing' | its state, when that is not waiting

local now = read_clock()
local J = job_read(A.id)
if not J then return 'missing' end
if J.state == 'cancelled' then return 'already' end
if J.state ~= 'waiting' then return J.state end
job_unwait(J, now)
job_note(J, cjson.encode({event = 'cancelled', at_us = I(now), by = A.by, reason = A.reason}))
job_end(J, 'cancelled', now, conf_number('result_ttl', 86400))
recent_add({I(now), J.id})
return 'cancelled'

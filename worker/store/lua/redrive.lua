#!lua
--!include dead
--!include facts
-- A dead letter (or an expired job) goes through its lane again, with its id, at the end of the line.
-- KEYS[1] prefix; ARGV[2] JSON {id, by, reason, unknown = true to send again a call whose outcome is unknown,
-- prio = another priority}
-- returns 'waiting' | 'missing' | 'unknown' (say so explicitly) | 'discarded' (restore it first) | 'undelivered' | its other state

if A.prio then need_type(A.prio, 'number', 'prio') end
local now = read_clock()
local J = job_read(A.id)
if not J then return 'missing' end
if J.state ~= 'dead' and J.state ~= 'expired' then return J.state end
if J.disc then return 'discarded' end
if J.err == 'undelivered' then return 'undelivered' end     -- a report, and no call that could be sent
if J.state == 'dead' and J.err == 'outcome_unknown' and J['repeat'] ~= '1' and not A.unknown then return 'unknown' end
end_undone(J, now)
if A.prio then
  J.prio = I(A.prio)
  redis.call('HSET', k_job(J.id), 'prio', J.prio)
end
job_note(J, cjson.encode({event = 'redriven', at_us = I(now), by = A.by, reason = A.reason, class = J.err, code = J.code}))
J.place = I(redis.call('HINCRBY', k_meta(), 'place', 1))
J.dl = I(now + tonumber(J.dlrel))
redis.call('HSET', k_job(J.id), 'place', J.place, 'dl', J.dl, 'attempts', '0', 'crashes', '0')
redis.call('HDEL', k_job(J.id), 'acked', 'last', 'sending')
redis.call('HINCRBY', k_job(J.id), 'redrives', 1)
job_wait(J, nil, now)
return 'waiting'

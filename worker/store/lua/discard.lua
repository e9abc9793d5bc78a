#!lua flags=allow-oom
--!include dead
-- Marks a dead letter as not to be sent again, or takes the mark back. Nothing is deleted.
-- KEYS[1] prefix; ARGV[2] JSON {id, by, reason, undo}; returns 'discarded' | 'restored' | 'already' | 'missing' | state

local now = read_clock()
local J = job_read(A.id)
if not J then return 'missing' end
if J.state ~= 'dead' then return J.state end
if A.undo then
  if not J.disc then return 'already' end
  redis.call('HDEL', k_job(J.id), 'disc')
  redis.call('ZREM', k_discarded(), J.id)
  redis.call('HINCRBY', k_problem(J.fp), 'open', 1)
else
  if J.disc then return 'already' end
  redis.call('HSET', k_job(J.id), 'disc', '1')
  redis.call('ZADD', k_discarded(), I(now), J.id)
  problem_eased(J.fp, now)
end
local what = A.undo and 'restored' or 'discarded'
job_note(J, cjson.encode({event = what, at_us = I(now), by = A.by, reason = A.reason}))
return what

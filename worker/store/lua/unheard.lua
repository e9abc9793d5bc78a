#!lua flags=allow-oom
--!include dead
-- Commands whose result has not come in time: nobody knows what became of them, and their evidence says so. 50 at a time.
-- KEYS[1] prefix; ARGV[2] JSON {why as in bury}; returns how many

local now = read_clock()
local overdue = redis.call('ZRANGEBYSCORE', k_awaiting(), '-inf', I(now), 'LIMIT', 0, 50)
for _, id in ipairs(overdue) do
  redis.call('ZREM', k_awaiting(), id)
  local J = job_read(id)
  if J and J.state == 'awaiting' then
    job_note(J, cjson.encode({event = 'result_overdue', at_us = I(now), class = A.why.class, code = A.why.code,
      message = A.why.message}))
    job_bury(J, A.why, now)
  end
end
return #overdue

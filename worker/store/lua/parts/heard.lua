--!include dead
-- A command is over when its result has come: by a call of the other side, before the answer or long after it.
-- job hash: door = secret part of the result's address; heard = JSON of the result; verdict = JSON {done, why} of a
-- result that came while the call was still running

--!late
local function job_settle_heard(J, verdict, now)
  -- it ends here: an answer to its call that comes later still has nothing to add
  redis.call('HDEL', k_job(J.id), 'verdict', 'last')
  if not verdict.done then return job_bury(J, verdict.why, now) end
  redis.call('HDEL', k_job(J.id), 'err', 'code', 'fp', 'why')
  local ttl = conf_number('result_ttl', 86400)
  job_end(J, 'done', now, ttl)
  redis.call('EXPIRE', k_result(J.id), ttl)
end

-- accepted by the other side: over when its result has come, or when that has not come for `span` (µs)
--!late
local function job_await(J, span, now)
  local early = redis.call('HGET', k_job(J.id), 'verdict')
  if early then return job_settle_heard(J, cjson.decode(early), now) end
  redis.call('HSET', k_job(J.id), 'state', 'awaiting', unwritten(J))
  redis.call('HDEL', k_job(J.id), 'lease', 'sending')
  redis.call('ZADD', k_awaiting(), I(now + span), J.id)
end

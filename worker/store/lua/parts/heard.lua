--!include dead
-- A command is over when its result has come: by a call of the other side, before the answer or long after it.
-- job hash: door = secret part of the result's address; heard = JSON of the result; verdict = JSON {done, why} of a
-- result that came while the call was still running

local function job_settle_heard(J, verdict, now)
  redis.call('HDEL', k_job(J.id), 'verdict', 'sending')
  if not verdict.done then return job_bury(J, verdict.why, now) end
  redis.call('HDEL', k_job(J.id), 'err', 'code', 'fp', 'why')
  job_end(J, 'done', now, conf_number('result_ttl', 86400))
end

-- accepted by the other side: over when its result has come, or when that has not come for `span` (µs)
local function job_await(J, span, now)
  local early = redis.call('HGET', k_job(J.id), 'verdict')
  if early then return job_settle_heard(J, cjson.decode(early), now) end
  redis.call('HSET', k_job(J.id), 'state', 'awaiting')
  redis.call('HDEL', k_job(J.id), 'lease')
  redis.call('ZADD', k_awaiting(), I(now + span), J.id)
end

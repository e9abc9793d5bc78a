--!include job
-- Dead letters, indexed by time, account, operation, class and problem; the problem's record; the brake.
-- problem:<fp> hash: api op class code count first last sample, open letters not discarded, burst window (burst_at, burst_n),
-- what a person said of it (mark, mark_by, mark_why, mark_at)

--!late
local function fingerprint(api, op, class, code)
  return string.sub(redis.sha1hex(api .. '|' .. op .. '|' .. class .. '|' .. code), 1, 16)
end

--!late
local function dead_indexes(J, class, fp)
  return {k_dead(), k_dead_by('account', J.acct), k_dead_by('operation', J.op), k_dead_by('class', class),
    k_dead_by('problem', fp)}
end

-- Too many of one problem in a short time: a bad deploy, a changed contract. Hold the lane, say so once.
--!late
local function dead_brake(J, fp, now)
  local limit = conf_number('brake_count', 50)
  local span = conf_number('brake_window', 60000000)
  local v = redis.call('HMGET', k_problem(fp), 'burst_at', 'burst_n')
  local at, n = tonumber(v[1] or 0), tonumber(v[2] or 0)
  local released = tonumber(redis.call('HGET', k_released(), 'lane:' .. J.lane) or 0)
  if now - at > span or at < released then at, n = now, 0 end
  n = n + 1
  redis.call('HSET', k_problem(fp), 'burst_at', I(at), 'burst_n', I(n))
  if n < limit then return end
  local scope = 'lane:' .. J.lane
  if hold_set(scope, {cause = 'brake', by = 'paceline', problem = fp, every = conf_number('brake_probe', 0),
      reason = n .. ' dead letters of one problem within ' .. I(span / 1000000) .. ' s'}, nil, now) then
    raise_alert('hold:' .. scope, cjson.encode({kind = 'brake', scope = scope, problem = fp, account = J.acct,
      operation = J.op, job = J.id, count = n}), now)
  end
end

-- What a person said of a problem, for one more letter of it: that its cause is mended is not so; that they know of it
-- holds until it was over; to ignore it holds until somebody says otherwise.
--!late
local function mark_holds(fp, open)
  local mark = redis.call('HGET', k_problem(fp), 'mark')
  if mark == 'resolved' or (mark == 'acknowledged' and open == 1) then
    redis.call('HDEL', k_problem(fp), 'mark', 'mark_by', 'mark_why', 'mark_at')
    return nil
  end
  return mark
end

-- why = {class, code, alert = bool, message}. A result that came before its call was answered knows better than
-- `outcome_unknown`.
--!late
local function job_bury(J, why, now)
  if why.class == 'outcome_unknown' then
    local early = redis.call('HGET', k_job(J.id), 'verdict')
    if early then
      local verdict = cjson.decode(early)
      redis.call('HDEL', k_job(J.id), 'verdict')
      if verdict.done then return job_end(J, 'done', now, conf_number('result_ttl', 86400)) end
      why = verdict.why
    end
  end
  local fp = fingerprint(J.api, J.op, why.class, why.code or '')
  job_set(J, 'err', why.class, 'code', why.code or '', 'fp', fp, 'why', why.message or '')
  J.fp = fp
  job_end(J, 'dead', now, 0)
  for _, key in ipairs(dead_indexes(J, why.class, fp)) do redis.call('ZADD', key, I(now), J.id) end
  redis.call('HSETNX', k_problem(fp), 'first', I(now))
  redis.call('HSET', k_problem(fp), 'api', J.api, 'op', J.op, 'class', why.class, 'code', why.code or '',
    'last', I(now), 'sample', J.id)
  redis.call('HINCRBY', k_problem(fp), 'count', 1)
  local mark = mark_holds(fp, redis.call('HINCRBY', k_problem(fp), 'open', 1))
  redis.call('ZADD', k_problems(), I(now), fp)
  count('died', 1)
  if why.alert and mark ~= 'ignored' then
    raise_alert('problem:' .. fp, cjson.encode({kind = 'problem', problem = fp, api = J.api, operation = J.op,
      class = why.class, code = why.code or '', account = J.acct, job = J.id, message = why.message}), now)
  end
  dead_brake(J, fp, now)
end

-- One letter less that asks for somebody; the last one of a problem resolves its alert.
--!late
local function problem_eased(fp, now)
  if redis.call('EXISTS', k_problem(fp)) == 0 or redis.call('HINCRBY', k_problem(fp), 'open', -1) <= 0 then
    resolve_alert('problem:' .. fp, now)
  end
end

-- out of all dead-letter indexes
--!late
local function dead_leave(J, now)
  for _, key in ipairs(dead_indexes(J, J.err, J.fp)) do redis.call('ZREM', key, J.id) end
  redis.call('ZREM', k_discarded(), J.id)
  redis.call('HDEL', k_job(J.id), 'disc')
  count('dead', -1)
  bulk_told(J, 'dead', -1)
  if not J.disc then problem_eased(J.fp, now) end
end

-- an end that was not the end: the job is nowhere now, and the caller puts it where it belongs
--!late
local function end_undone(J, now)
  if J.state == 'dead' then
    dead_leave(J, now)
  else
    redis.call('ZREM', k_expired(), J.id)
    redis.call('ZREM', k_expired_by('account', J.acct), J.id)
    count('expired', -1)
    bulk_told(J, 'expired', -1)
  end
  for _, key in ipairs({k_job(J.id), k_message(J.id), k_evidence(J.id), k_chain(J.chain)}) do redis.call('PERSIST', key) end
  if key_own(J) then redis.call('PERSIST', k_idempotency(J.key)) end
  redis.call('HDEL', k_job(J.id), 'err', 'code', 'fp', 'why', 'ended', 'strange')
  redis.call('DEL', k_result(J.id))     -- of an earlier sending
end

-- whatever is past its deadline: expired when never sent, dead with its last cause when it had been tried
--!late
local function job_overdue(J, now)
  if tonumber(J.attempts or 0) > 0 and J.err then
    job_unwait(J, now)
    job_bury(J, {class = J.err, code = J.code, alert = false, message = 'its deadline passed before another attempt'}, now)
  else
    job_expire(J, now)
  end
end

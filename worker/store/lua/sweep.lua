#!lua flags=allow-oom
--!include dead
-- Retention: removes what has been kept long enough, 50 of each at a time. KEYS[1] prefix; ARGV[2] JSON {dead_us}
-- returns 1 when there may be more

local now = read_clock()
local old = redis.call('ZRANGEBYSCORE', k_dead(), '-inf', I(now - A.dead_us), 'LIMIT', 0, 50)
for _, id in ipairs(old) do
  local J = job_read(id)
  if J then
    for _, key in ipairs(dead_indexes(J, J.err or '', J.fp or '')) do redis.call('ZREM', key, id) end
    if J.fp and not J.disc then problem_eased(J.fp, now) end
    redis.call('DEL', k_job(id), k_message(id), k_evidence(id), k_result(id), k_chain(J.chain or id),
      k_notes(id))
    if key_own(J) then redis.call('EXPIRE', k_idempotency(J.key), 1) end
  end
  redis.call('ZREM', k_dead(), id)
  redis.call('ZREM', k_discarded(), id)
end
local stale = redis.call('ZRANGEBYSCORE', k_problems(), '-inf', I(now - A.dead_us), 'LIMIT', 0, 50)
for _, fp in ipairs(stale) do
  redis.call('ZREM', k_problems(), fp)
  redis.call('DEL', k_problem(fp), k_notes(fp))
end
-- their records are gone by then
redis.call('ZREMRANGEBYSCORE', k_expired(), '-inf', I(now - conf_number('result_ttl', 86400) * 1000000))
alerts_forget(now - A.dead_us, now)
alerts_counted()
return (#old >= 50 or #stale >= 50) and 1 or 0

--!include hold
--!include together
-- Takes a job in: its record, its message, its place at the end of its lane. Also used for successors, which are born
-- in the same step that ends their parent.
-- facts = {id, op, acct, api, budget, prio, rep(1/0), dl = µs after now, key, psha, chain, page, callback = as `cb` of
-- parts/callback.lua}

--!late
local function job_accept(facts, message, now)
  if redis.call('EXISTS', k_job(facts.id)) == 1 then return 'duplicate', facts.id end
  if facts.key then
    local held = redis.call('GET', k_idempotency(facts.key))
    if held then
      local id, sha = string.match(held, '^(%S+) (%S+)$')
      if redis.call('EXISTS', k_job(id)) == 1 or redis.call('TTL', k_idempotency(facts.key)) > 0 then
        if sha == facts.psha then return 'duplicate', id end
        return 'conflict', id
      end
    end
    redis.call('SET', k_idempotency(facts.key), facts.id .. ' ' .. facts.psha)
  end
  local place = redis.call('HINCRBY', k_meta(), 'place', 1)
  redis.call('SET', k_message(facts.id), message)
  redis.call('HSET', k_job(facts.id), 'state', 'waiting', 'op', facts.op, 'acct', facts.acct, 'api', facts.api,
    'budget', facts.budget, 'prio', facts.prio, 'place', I(place), 'repeat', facts.rep, 'dl', I(now + facts.dl),
    'dlrel', I(facts.dl), 'created', I(now), 'chain', facts.chain, 'page', facts.page)
  if facts.key then redis.call('HSET', k_job(facts.id), 'key', facts.key) end
  if facts.callback then redis.call('HSET', k_job(facts.id), 'cb', facts.callback) end
  if facts.page > 1 then
    -- a job alone needs no list; the first successor makes one
    if redis.call('EXISTS', k_chain(facts.chain)) == 0 then redis.call('RPUSH', k_chain(facts.chain), facts.chain) end
    redis.call('RPUSH', k_chain(facts.chain), facts.id)
    redis.call('PERSIST', k_chain(facts.chain))
  end
  local J = {id = facts.id, acct = facts.acct, op = facts.op, prio = facts.prio, place = I(place),
    dl = I(now + facts.dl), lane = facts.acct .. '|' .. facts.op, group = facts.acct .. '|' .. facts.budget}
  local member = J.lane .. '|' .. facts.budget
  if redis.call('SADD', k_lanes(), member) == 1 then redis.call('SADD', k_lanes_of(J.acct), member) end
  redis.call('HSET', k_conf(), 'o:' .. facts.op, facts.budget)
  count('accepted', 1)
  if facts.prio == 0 then
    URGENT = now
    redis.call('HSET', k_meta(), 'urg', I(now))
    for _, name in ipairs(windows_of(J.group) or {}) do redis.call('HSET', k_window(name), 'urg', I(now)) end
  end
  redis.call('ZADD', k_queue(J.lane, J.prio), J.place, J.id)
  redis.call('ZADD', k_deadlines(), J.dl, J.id)
  touch_lane(J.lane, J.group, J.prio, now)
  return 'accepted', facts.id
end

--!include callback
--!include bulk_told
--!include news
-- A job's record and the places it can be in. Every job is in exactly one: waiting (queue or due), running (a lease),
-- done, dead, cancelled, expired.
-- job:<id> hash: op acct api budget prio place state repeat(1/0) dl deadline µs, dlrel µs, created, due, attempts,
-- crashes, lease, leased (when it was last taken), last (lease before), acked (lease that settled it), sending, began (when
-- the last unrepeatable call was about to be written, µs), key, psha, chain, page, err, code, fp, ended, runs (attempts
-- ever), redrives, disc, cb and ends (parts/callback.lua)

local function job_read(id)
  local v = redis.call('HGETALL', k_job(id))
  local J = {id = id}
  for i = 1, #v, 2 do J[v[i]] = v[i + 1] end
  -- a record without these is no job: one such at the head of a line must not stop the line
  if not (J.state and J.op and J.acct and J.budget) then return nil end
  J.dl = J.dl or '0'
  J.lane = J.acct .. '|' .. J.op
  J.group = J.acct .. '|' .. J.budget
  return J
end

-- What handing a job out needs to know of it, which costs a third of the whole record.
local function job_glance(id)
  local v = redis.call('HMGET', k_job(id), 'state', 'op', 'acct', 'budget', 'dl', 'place', 'attempts', 'crashes',
    'created', 'chain')
  if not (v[1] and v[2] and v[3] and v[4]) then return nil end
  return {id = id, state = v[1], op = v[2], acct = v[3], budget = v[4], dl = v[5] or '0', place = v[6] or nil,
    attempts = v[7] or '0', crashes = v[8] or '0', created = v[9] or '', chain = v[10] or '', lane = v[3] .. '|' .. v[2]}
end

-- fields that the write which moves the job shall take along, instead of a write of their own
local function job_set(J, ...)
  local words = J.unwritten
  if words then
    for i = 1, select('#', ...) do words[#words + 1] = (select(i, ...)) end
  else
    J.unwritten = {...}
  end
end

local function unwritten(J)
  local words = J.unwritten or {}
  J.unwritten = nil
  return unpack(words)
end

-- writes what was kept together
local function apart(now)
  local all = TOGETHER
  TOGETHER = nil
  windows_save()
  if #all.dropped > 0 then
    redis.call('ZREM', k_leases(), unpack(all.dropped))
    redis.call('HDEL', k_lease(), unpack(all.dropped))
  end
  for what, by in pairs(all.counts) do count(what, by) end
  for lane, landed in pairs(all.landed) do lane_land(lane, landed.group, now, landed.n) end
  for account, freer in pairs(all.settled) do open_gates(account, now, not freer) end
end

-- into the line at its own place, now or when `due` has come
--!late
local function job_wait(J, due, now)
  if due and due > now then
    redis.call('ZADD', k_due(J.lane, J.prio), I(due), J.id)
    redis.call('HSET', k_job(J.id), 'state', 'waiting', 'due', I(due), unwritten(J))
  else
    redis.call('ZADD', k_queue(J.lane, J.prio), J.place, J.id)
    redis.call('HSET', k_job(J.id), 'state', 'waiting', 'due', '0', unwritten(J))
  end
  redis.call('HDEL', k_job(J.id), 'lease', 'sending')
  if tonumber(J.dl) > 0 then redis.call('ZADD', k_deadlines(), J.dl, J.id) end
  touch_lane(J.lane, J.group, J.prio, now)
end

--!late
local function job_unwait(J, now)
  redis.call('ZREM', k_queue(J.lane, J.prio), J.id)
  redis.call('ZREM', k_due(J.lane, J.prio), J.id)
  redis.call('ZREM', k_deadlines(), J.id)
  touch_lane(J.lane, J.group, J.prio, now, true)
end

-- when its time is over a key may come to another job, whose it is from then on
--!late
local function key_own(J)
  local held = J.key and redis.call('GET', k_idempotency(J.key))
  return held and string.match(held, '^%S+') == J.id
end

-- keep everything about an ended job for `ttl` seconds (0: until retention removes it)
local function job_keep(J, ttl)
  if J.key and key_own(J) then
    redis.call('EXPIRE', k_idempotency(J.key), math.max(ttl, conf_number('key_ttl', 86400)))
  end
  if ttl <= 0 then return end
  redis.call('EXPIRE', k_job(J.id), ttl)
  redis.call('EXPIRE', k_message(J.id), ttl)
  redis.call('EXPIRE', k_evidence(J.id), ttl)
  -- a list of pages is made by its second page; sent again, its first page may find it there
  if J.chain and (J.page ~= '1' or J.redrives) then redis.call('EXPIRE', k_chain(J.chain), ttl) end
end

local function job_note(J, evidence)
  if not evidence or evidence == '' then return end
  if FOLLOWED then news_add(J, 'evidence', evidence) end
  if redis.call('RPUSH', k_evidence(J.id), evidence) > 40 then redis.call('LTRIM', k_evidence(J.id), -40, -1) end
  if J.state == 'running' or J.state == 'waiting' then return end
  -- what is noted after the end goes with the job
  local left = redis.call('PTTL', k_job(J.id))
  if left > 0 then redis.call('PEXPIRE', k_evidence(J.id), left) end
end

local function job_end(J, state, now, ttl)
  redis.call('HSET', k_job(J.id), 'state', state, 'ended', I(now), 'lease', '', unwritten(J))
  if J.sending then redis.call('HDEL', k_job(J.id), 'sending') end
  count(state, 1)
  bulk_told(J, state, 1)
  job_keep(J, ttl)
  if FOLLOWED then news_add(J, 'state', state) end
  callback_make(J, state, now)
end

-- past its deadline: never sent -> expired; sent before -> dead with what it died of (see dead.lua)
--!late
local function job_expire(J, now)
  job_unwait(J, now)
  job_end(J, 'expired', now, conf_number('result_ttl', 86400))
  redis.call('ZADD', k_expired(), I(now), J.id)
  -- it is kept no longer than the job, which will not say then whose it was
  local ttl = conf_number('result_ttl', 86400)
  local mine = k_expired_by('account', J.acct)
  redis.call('ZADD', mine, I(now), J.id)
  redis.call('ZREMRANGEBYSCORE', mine, '-inf', I(now - ttl * 1000000))
  redis.call('EXPIRE', mine, ttl)
end

--!include dead
-- A worker's claim on a job: made by take, renewed by its worker, taken back when it has lapsed.

local CRASHES = 3

-- An outage longer than half a lease is nobody's crash: all deadlines move by the gap.
local function leases_shift_gap(now, lease_us)
  local gap = now - tonumber(SEEN or 0)
  if gap <= lease_us / 32 then return end     -- takes come by the hundred; what is gone since the last one is no gap
  redis.call('HSET', k_meta(), 'seen', I(now))
  if not SEEN or gap <= lease_us / 2 then return end
  local all = redis.call('ZRANGE', k_leases(), 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do redis.call('ZADD', k_leases(), I(tonumber(all[i + 1]) + gap), all[i]) end
end

-- a lapsed lease: the permit stays until the latest possible arrival; the job is counted, returned or buried
--!late
local function lease_reclaim(lease, expiry, transit, now)
  local info = lease_read(lease)
  if not info then
    redis.call('ZREM', k_leases(), lease)
    return
  end
  lease_drop(lease, info, now)
  permit_settle(info, lease, {mode = 'unanswered', more = expiry + transit - now}, nil, now)
  if info.probe then probe_void(info.probe, lease, now) end
  if not info.id then return end
  local J = job_read(info.id)
  if not J or J.state ~= 'running' or J.lease ~= lease then return end
  local crashes = (J.crashes or 0) + 1
  job_set(J, 'crashes', I(crashes), 'last', lease)
  job_note(J, cjson.encode({event = 'crashed', worker = info.worker, lease = lease, at_us = I(now),
    crashes = crashes, sending = J.sending == '1', taken_us = J.leased,
    sending_began_us = J.sending == '1' and J.began or nil}))
  if J.sending == '1' and J['repeat'] ~= '1' then
    job_bury(J, {class = 'outcome_unknown', code = 'worker_crashed', alert = true,
      message = 'the worker ended after it had begun to send'}, now)
  elseif crashes >= CRASHES then
    job_bury(J, {class = 'crashed', code = 'worker_crashed', alert = true,
      message = 'three workers ended while they ran this job'}, now)
  else
    job_wait(J, nil, now)
  end
end

--!late
local function leases_reclaim(now, transit)
  local lapsed = redis.call('ZRANGEBYSCORE', k_leases(), '-inf', I(now), 'WITHSCORES', 'LIMIT', 0, 50)
  for i = 1, #lapsed, 2 do lease_reclaim(lapsed[i], tonumber(lapsed[i + 1]), transit, now) end
  return #lapsed / 2
end

-- what a worker needs to know of a job it has been given, as take.lua lists it
local function lease_card(lease, info, J)
  local message = redis.call('GET', k_message(info.id))
  if not message then return nil end
  return {lease, info.id, message, info.acct, info.op, info.group, info.p, J.attempts, J.crashes, J.dl,
    I(info.at), J.created, J.chain, info.probe or ''}
end

-- One waiting job for a worker, as its claim says it; its windows have been charged already. `leases_write` gives it.
local function lease_make(lease, J, windows, worker, probe, now)
  local info = {id = J.id, acct = J.acct, op = J.op, group = J.group, p = J.prio, at = now, worker = worker,
    win = {}, occ = {}, taken = {}, probe = probe}
  for i, w in ipairs(windows) do
    info.win[i], info.occ[i], info.taken[i] = w.name, w.tot + w.inf, w.taken
  end
  return info
end

-- Gives jobs of one line away: made = {lease, its record, …}. One of them that stumbles stumbles before.
local function leases_write(lane, p, made, until_us)
  if #made == 0 then return end
  local ids, claims, records = {}, {}, {}
  for i = 1, #made, 2 do
    local lease, info = made[i], made[i + 1]
    redis.call('HSET', k_job(info.id), 'state', 'running', 'lease', lease, 'leased', I(info.at))
    ids[#ids + 1] = info.id
    claims[i], claims[i + 1] = I(until_us), lease
    records[i], records[i + 1] = lease, cmsgpack.pack(info)
  end
  redis.call('ZREM', k_queue(lane, p), unpack(ids))
  redis.call('ZREM', k_deadlines(), unpack(ids))
  redis.call('ZADD', k_leases(), unpack(claims))
  redis.call('HSET', k_lease(), unpack(records))
  FLYING[lane] = redis.call('HINCRBY', k_flying(), lane, #ids)
end

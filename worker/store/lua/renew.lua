#!lua flags=allow-oom
--!include accept
--!include lease
--!include workers
--!include facts
-- Extends the named leases. A living worker's memory may be better than the store's: a lease the store has lost is made
-- again from the full record its worker sends, and a job the store has lost is taken in again, running.
-- KEYS[1] prefix
-- ARGV[2] JSON {worker, digest, lease_us, silent_us, leases = [{lease, id, full = nil | {facts, sent, door = secret of
--   its result's address, group, taken}}]}
-- ARGV[3..] messages of the full records, in order
-- returns {now µs, {one answer per lease}}: 'held' | 'lost' (somebody else's now) | 'unknown' (send the full record)

local full = 2
for _, entry in ipairs(A.leases) do
  if entry.full then
    full = full + 1
    need_job(entry.full.facts, ARGV[full])
    need_type(entry.full.group, 'string', 'group')
  end
end
local now = read_clock()
leases_shift_gap(now, A.lease_us)
worker_beat(A.worker, now, A.silent_us)
if A.digest then redis.call('ZADD', k_confs(), I(now), A.digest) end

local function restore(entry, message)
  local facts = entry.full.facts
  if redis.call('EXISTS', k_job(entry.id)) == 0 then job_accept(facts, message, now) end
  local J = job_read(entry.id)
  if J.state == 'running' and (entry.full.taken or 0) > tonumber(J.leased or 0) then
    -- the claim the store remembers had ended within what was lost: this one came after it
    local old = lease_read(J.lease)
    if old then
      lease_drop(J.lease, old, now)
      permit_settle(old, J.lease, {mode = 'answered'}, nil, now)
    end
    redis.call('HDEL', k_job(J.id), 'sending')
  elseif J.state ~= 'waiting' or J.acked == entry.lease then
    return 'lost'
  end
  job_unwait(J, now)
  J.group = entry.full.group
  local windows = load_windows(J.group, now) or {}
  permit_retake(windows, entry.lease)
  -- it was taken before anything was lost: its answer proves nothing about what the store has forgotten since
  local taken = math.min(now, UNSURE > 0 and UNSURE or now, entry.full.taken or now)
  local info = lease_make(entry.lease, J, windows, A.worker, entry.full.probe, taken)
  leases_write(J.lane, J.prio, {entry.lease, info}, now + A.lease_us)
  if entry.full.sent then redis.call('HSET', k_job(J.id), 'sending', '1') end
  if type(entry.full.door) == 'string' then redis.call('HSET', k_job(J.id), 'door', entry.full.door) end
  return 'held'
end

local answers = {}
local blob = 3
for i, entry in ipairs(A.leases) do
  local answer
  if redis.call('ZSCORE', k_leases(), entry.lease) then
    redis.call('ZADD', k_leases(), I(now + A.lease_us), entry.lease)
    answer = 'held'
  elseif entry.full then
    answer = restore(entry, ARGV[blob])
  else
    local v = redis.call('HMGET', k_job(entry.id), 'state', 'last', 'acked')
    if not v[1] or (v[1] == 'waiting' and v[3] ~= entry.lease) then answer = 'unknown' else answer = 'lost' end
  end
  if entry.full then blob = blob + 1 end
  answers[i] = answer
end
return {now, answers}

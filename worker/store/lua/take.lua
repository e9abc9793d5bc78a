#!lua flags=allow-oom
--!include serve
--!include suspect
--!include workers
-- Hands out jobs for threads that are free now: takes back lapsed leases, expires what is overdue, respects holds and
-- caps, chooses budgets and lanes by priority then fairly, takes permits in all windows of a budget or none, leases.
-- KEYS[1] prefix
-- ARGV[2] JSON {worker, nonce, number = of this nonce among the worker's, ascending, want = free threads,
--   most = jobs at once or absent, keep = 1 when the last thread is kept for urgent work,
--   run = server run id, durable (bool), mode = probe|wait|fresh, lease_us, transit_us, expect = server µs expected by
--   the worker's own clock or absent}
-- returns {verdict, now µs, next µs or -1, outbox size, {card…}, 1 when work is left for want of a thread}; verdict
--   'ok' | 'configure' | 'clock' (compare clocks, then ask again) | 'quiet' (suspect); card {lease, job id, message,
--   account, operation, group, priority, attempts, crashes, deadline µs, taken µs, created µs, chain, hold it probes or
--   ''}, or its first three where the message is gone

local now = read_clock()
local digest, own = conf_read('digest'), redis.call('HGET', k_worker(A.worker), 'digest')
if not digest or not own or (digest ~= own and not digest_lives(digest, now)) then
  return {'configure', now, -1, 0, {}, 0}
end
if A.expect and now - A.expect > 100000 then return {'clock', now, -1, 0, {}, 0} end
suspect_check(A.run, A.durable, A.lease_us, A.mode, now)
leases_shift_gap(now, A.lease_us)

-- a lost reply: the same nonce gets the same leases. A question that was held up until a later one had been answered is
-- nobody's any more: what it deals would take the names of claims that hold.
local before = redis.call('GET', k_nonce(A.worker))
if before then
  local record = cmsgpack.unpack(before)
  if record.nonce == A.nonce then
    local cards = {}
    for _, lease in ipairs(record.leases) do
      local info = lease_read(lease)
      if info then
        -- its time to send counts from this asking, so its lease must too, even if it had lapsed
        redis.call('ZADD', k_leases(), I(now + A.lease_us), lease)
        local J = job_glance(info.id)
        if J then cards[#cards + 1] = lease_card(lease, info, J) end
      end
    end
    return {'ok', now, now, redis.call('ZCARD', k_outbox()), cards, 1}
  end
  if (A.number or 0) < (record.number or 0) then return {'ok', now, now, redis.call('ZCARD', k_outbox()), {}, 0} end
end

if now < QUIET then return {'quiet', now, QUIET, redis.call('ZCARD', k_outbox()), {}, 0} end
if SUSPECT then
  redis.call('HDEL', k_meta(), 'suspect')
  resolve_alert('suspect:' .. SUSPECT, now)
end

local function next_lapse() return tonumber(redis.call('ZRANGE', k_leases(), 0, 0, 'WITHSCORES')[2]) end
local lapse, again = next_lapse(), false
if lapse and lapse <= now then
  again = leases_reclaim(now, A.transit_us) >= 50
  lapse = next_lapse()
end
local overdue = redis.call('ZRANGEBYSCORE', k_deadlines(), '-inf', I(now), 'LIMIT', 0, 50)
for _, id in ipairs(overdue) do
  local J = job_read(id)
  if J and J.state == 'waiting' then job_overdue(J, now) else redis.call('ZREM', k_deadlines(), id) end
end
again = again or #overdue >= 50

local ctx = {worker = A.worker, nonce = A.nonce, lease_us = A.lease_us, given = {},
  doubt = function(account) return doubt_of(account, UNSURE, QUIET, A.mode, A.transit_us) end}
local out = {}
local keep = 0
if A.keep == 1 and URGENT > now - 600000000 then keep = 1 end
local function wanted(p) return math.min(A.want - (p > 0 and keep or 0), A.most or A.want) - #out end
for p = 0, 2 do
  local want = wanted(p)
  local looked = 0
  while want > 0 do
    local groups = redis.call('ZRANGEBYSCORE', k_ready(p), '-inf', I(now), 'LIMIT', 0, want)
    if #groups == 0 then break end
    looked = looked + #groups
    if looked > 64 then
      again = true
      break
    end
    local share = math.ceil(want / #groups)
    for _, group in ipairs(groups) do
      if want <= 0 then break end
      want = want - serve_group(group, p, math.min(share, want), ctx, now, out)
    end
  end
end
if #ctx.given > 0 then
  redis.call('SET', k_nonce(A.worker), cmsgpack.pack({nonce = A.nonce, number = A.number, leases = ctx.given}), 'PX', 600000)
end

-- when something can be taken next; a worker left with nothing free passes on what is ready
local at = -1
local more = 0
local function sooner(score)
  if score and (at < 0 or tonumber(score) < at) then at = tonumber(score) end
end
for p = 0, 2 do
  local left = wanted(p)
  local head = tonumber(redis.call('ZRANGE', k_ready(p), 0, 0, 'WITHSCORES')[2])
  if left > 0 then
    sooner(head)
  elseif head and head <= now then
    more = 1
    if #out > 0 and redis.call('ZCARD', k_workers()) > 1 then ring_bell(p) end
  end
end
sooner(lapse)
if #out > 0 then sooner(now + A.lease_us) end
sooner(redis.call('ZRANGE', k_deadlines(), 0, 0, 'WITHSCORES')[2])
if again then at = now end
return {'ok', now, at, redis.call('ZCARD', k_outbox()), out, more}

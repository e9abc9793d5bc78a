#!lua flags=allow-oom
--!include serve
--!include suspect
-- One permit without a job: a check of the operators' that must still count in the account's windows. It is had with the
-- same care as a job's: who asks first after the store has forgotten something, or its clock has stepped, may be nobody
-- who takes jobs.
-- KEYS[1] prefix; ARGV[2] JSON {group, lease, worker, lease_us, transit_us, mode, run = server run id, durable (bool),
--   quiet_us = how long nothing is handed out after a loss, expect = server µs expected by the asker's clock or absent}
-- returns {1 | 0 | -1 (compare clocks, then ask again), now µs, µs to look again or -1}

local now = read_clock()
if A.expect and now - A.expect > 100000 then return {-1, now, -1} end
suspect_check(A.run, A.durable, A.quiet_us, A.mode, now)
local windows = load_windows(A.group, now)
if not windows then return {0, now, -1} end
if now < QUIET then return {0, now, QUIET} end
local doubt = doubt_of(account_of(A.group), UNSURE, QUIET, A.mode, A.transit_us)
local room, again = budget_room(A.group, windows, 0, now, doubt)
if room <= 0 then return {0, now, latest(again)} end
permits_take(windows, 1)
local info = {acct = account_of(A.group), group = A.group, at = now, worker = A.worker, win = {}, occ = {}, taken = {}}
for i, w in ipairs(windows) do info.win[i], info.occ[i], info.taken[i] = w.name, w.tot + w.inf, w.taken end
redis.call('ZADD', k_leases(), I(now + A.lease_us), A.lease)
redis.call('HSET', k_lease(), A.lease, cmsgpack.pack(info))
return {1, now, now}

#!lua flags=allow-oom
--!include serve
-- One permit without a job: a check of the operators' that must still count in the account's windows.
-- KEYS[1] prefix; ARGV[2] JSON {group, lease, worker, lease_us, transit_us, mode}
-- returns {1 | 0, now µs, µs to look again or -1}

local now = read_clock()
local windows = load_windows(A.group, now)
if not windows then return {0, now, -1} end
local m = redis.call('HMGET', k_meta(), 'quiet', 'unsure')
local quiet = tonumber(m[1] or 0)
if now < quiet then return {0, now, quiet} end
local doubt = doubt_of(account_of(A.group), tonumber(m[2] or 0), quiet, A.mode, A.transit_us)
local room, again = budget_room(A.group, windows, 0, now, doubt)
if room <= 0 then return {0, now, latest(again)} end
permits_take(windows, 1)
local info = {acct = account_of(A.group), group = A.group, at = now, worker = A.worker, win = {}, occ = {}, taken = {}}
for i, w in ipairs(windows) do info.win[i], info.occ[i], info.taken[i] = w.name, w.tot + w.inf, w.taken end
redis.call('ZADD', k_leases(), I(now + A.lease_us), A.lease)
redis.call('HSET', k_lease(), A.lease, cmsgpack.pack(info))
return {1, now, now}

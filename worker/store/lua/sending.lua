#!lua flags=allow-oom
--!include job
-- The fence just before the first byte of an unrepeatable call: still my lease? Then mark the job, so that a crash
-- from here on means *unknown*, not *again*.
-- KEYS[1] prefix; ARGV[2] JSON {id, lease, door = secret of its result's address}; returns 1 to send, 0 to stay silent

local now = read_clock()
local J = job_read(A.id)
if not J or J.state ~= 'running' or J.lease ~= A.lease then return 0 end
if not redis.call('ZSCORE', k_leases(), A.lease) then return 0 end
redis.call('HSET', k_job(A.id), 'sending', '1', 'began', I(now), 'door', A.door)
redis.call('HDEL', k_job(A.id), 'heard', 'verdict')
return 1

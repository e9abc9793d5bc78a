#!lua flags=allow-oom
--!include workers
-- A process leaves. KEYS[1] prefix; ARGV[2] JSON {worker}; returns 1

redis.call('ZREM', k_workers(), A.worker)
redis.call('DEL', k_worker(A.worker), k_nonce(A.worker), k_bell(A.worker))
fleet_measure()
return 1

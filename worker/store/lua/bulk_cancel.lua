#!lua flags=allow-oom
--!include bulk
-- Stops an operation where it is: no step acts after this. What was done stays done, and the record says how much.
-- KEYS[1] prefix; ARGV[2] JSON {id, by, reason}
-- returns 'cancelled' | 'already' (it was) | 'missing' | 'done' (there is nothing to stop)

local now = read_clock()
local B = bulk_read(A.id)
if not B then return 'missing' end
if B.state == 'cancelled' then return 'already' end
if B.state == 'done' then return 'done' end
redis.call('HSET', k_bulk(A.id), 'state', 'cancelled', 'ended', I(now), 'ended_by', A.by, 'ended_why', A.reason,
  'waits', '')
redis.call('ZREM', k_bulk_open(), A.id)
redis.call('EXPIRE', k_bulk(A.id), I(B.ttl))
audit_add({what = 'cancel ' .. B.kind, by = A.by, reason = A.reason, bulk = A.id, count = I(B.done)}, now)
return 'cancelled'

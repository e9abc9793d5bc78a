#!lua flags=allow-oom
--!include bulk
-- Somebody says yes to a planned operation: from now on worker processes carry it out. Saying it again changes nothing.
-- KEYS[1] prefix; ARGV[2] JSON {id, by, reason = '' keeps the one of the plan}
-- returns 'running' | 'missing' | its other state

local now = read_clock()
local B = bulk_read(A.id)
if not B then return 'missing' end
if B.state ~= 'planned' then return B.state end
local reason = A.reason ~= '' and A.reason or B.reason
redis.call('HSET', k_bulk(A.id), 'state', 'running', 'started', I(now), 'started_by', A.by, 'reason', reason)
redis.call('PERSIST', k_bulk(A.id))
redis.call('ZADD', k_bulk_open(), I(now), A.id)
audit_add({what = B.kind, by = A.by, reason = reason, bulk = A.id, filter = filter_words(B),
  count = redis.call('HGET', k_bulk(A.id), 'total')}, now)
return 'running'

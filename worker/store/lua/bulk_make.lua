#!lua flags=allow-oom
--!include bulk
--!include facts
-- Keeps an operation on many letters as it was planned; nothing is done yet. A plan that nobody confirms goes after a day.
-- KEYS[1] prefix; ARGV[2] JSON {id, kind, by, reason, filter = {account, operation, class, problem, pile, since µs,
-- until µs}, limit, pace, keep, unknown, again, total, plan = JSON text, ttl s}
-- returns 'planned' | 'already' (the id is taken)

for _, name in ipairs({'id', 'kind', 'by', 'reason', 'plan'}) do need_type(A[name], 'string', name) end
for _, name in ipairs({'pace', 'total', 'ttl', 'limit'}) do need_type(A[name], 'number', name) end
need_type(A.filter, 'table', 'filter')
need_type(A.filter['until'], 'number', 'filter.until')
need(A.pace > 0, 'pace must be above 0')
local now = read_clock()
if redis.call('EXISTS', k_bulk(A.id)) == 1 then return 'already' end
local F = A.filter
redis.call('HSET', k_bulk(A.id), 'kind', A.kind, 'state', 'planned', 'by', A.by, 'reason', A.reason, 'account',
  F.account or '', 'operation', F.operation or '', 'class', F['class'] or '', 'problem', F.problem or '', 'pile', F.pile,
  'since', I(F.since or 0), 'until', I(F['until']), 'limit', I(A.limit), 'pace', tostring(A.pace), 'keep',
  A.keep and '1' or '', 'unknown', A.unknown and '1' or '', 'again', A.again and '1' or '', 'total', I(A.total), 'plan',
  A.plan, 'at', I(F.since or 0), 'past', '', 'created', I(now), 'ttl', I(A.ttl))
redis.call('EXPIRE', k_bulk(A.id), 86400)
redis.call('ZADD', k_bulks(), I(now), A.id)
redis.call('ZREMRANGEBYSCORE', k_bulks(), '-inf', I(now - A.ttl * 1000000))
return 'planned'

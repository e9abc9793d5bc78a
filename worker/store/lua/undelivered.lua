#!lua flags=allow-oom
--!include dead
--!include facts
-- Something that the other side owed us did not come, as somebody reports: a dead letter of no call of ours. Reported
-- again it is noted on its letter; one that was set aside is opened again.
-- KEYS[1] prefix; ARGV[2] JSON {id, op, acct, api, why as in bury}; ARGV[3] evidence; ARGV[4] message with what is known
-- returns 'reported' | 'noted' | 'again'

for _, name in ipairs({'id', 'op', 'acct', 'api'}) do need_type(A[name], 'string', name) end
need_why(A.why)
local now = read_clock()
local J = job_read(A.id)
if not J then
  redis.call('SET', k_message(A.id), ARGV[4])
  redis.call('HSET', k_job(A.id), 'state', 'dead', 'op', A.op, 'acct', A.acct, 'api', A.api, 'budget', 'other',
    'prio', '1', 'place', '0', 'repeat', '0', 'dl', '0', 'dlrel', '0', 'created', I(now), 'chain', A.id, 'page', '1')
  count('accepted', 1)
  J = job_read(A.id)
  job_note(J, ARGV[3])
  job_bury(J, A.why, now)
  return 'reported'
end
job_note(J, ARGV[3])
if not J.disc then return 'noted' end
redis.call('HDEL', k_job(J.id), 'disc')
redis.call('ZREM', k_discarded(), J.id)
redis.call('HINCRBY', k_problem(J.fp), 'open', 1)
raise_alert('problem:' .. J.fp, cjson.encode({kind = 'problem', problem = J.fp, api = J.api, operation = J.op,
  class = J.err, code = J.code, account = J.acct, job = J.id, message = A.why.message}), now)
return 'again'

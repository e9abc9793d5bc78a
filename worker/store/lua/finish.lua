#!lua flags=allow-oom
--!include ack
--!include heard
-- A job is done: result, evidence, permit, headers, successors and notices in one step.
-- KEYS[1] prefix; ARGV[2] JSON as in parts/ack.lua and {awaits = µs that its result may take to come (a command)};
-- ARGV[3] evidence JSON or ''; ARGV[4] result JSON or ''; ARGV[5..] message of each successor. Returns own | waiting | truth | already | superseded | missing

need_ack()
if A.awaits then need_type(A.awaits, 'number', 'awaits') end
local now = read_clock()
local J = job_read(A.id)
local status = ack_status(J)
if status == 'missing' or status == 'already' or status == 'forgotten' then return status end
local mine = ack_open(J, status, now)
job_note(A.id, ARGV[3])
redis.call('HDEL', k_refusals(), A.group)
if not mine then return status end
if ARGV[4] ~= '' then redis.call('SET', k_result(A.id), ARGV[4]) end
redis.call('HINCRBY', k_job(A.id), 'runs', 1)
redis.call('HDEL', k_job(A.id), 'sending', 'err', 'code', 'fp')
redis.call('HSET', k_job(A.id), 'crashes', '0')
if A.meaning then redis.call('HSET', k_job(A.id), 'meaning', A.meaning) end
if A.awaits then
  job_await(J, A.awaits, now)
else
  job_end(J, 'done', now, conf_number('result_ttl', 86400))
end
ack_rest(now)
return status

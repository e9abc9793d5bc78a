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
job_note(J, ARGV[3])
if any(k_refusals()) then redis.call('HDEL', k_refusals(), A.group) end
if not mine then return status end
job_set(J, 'runs', I((J.runs or 0) + 1))
if J.crashes then job_set(J, 'crashes', '0') end
if A.meaning then job_set(J, 'meaning', A.meaning) end
if J.err then redis.call('HDEL', k_job(J.id), 'err', 'code', 'fp') end
if A.awaits then
  if ARGV[4] ~= '' then redis.call('SET', k_result(J.id), ARGV[4]) end
  job_await(J, A.awaits, now)
else
  local ttl = conf_number('result_ttl', 86400)
  if ARGV[4] ~= '' then redis.call('SET', k_result(J.id), ARGV[4], 'EX', ttl) end
  job_end(J, 'done', now, ttl)
end
ack_rest(now)
return status

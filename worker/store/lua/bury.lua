#!lua flags=allow-oom
--!include ack
-- A job becomes a dead letter, with its evidence, its problem and its alert in one step.
-- KEYS[1] prefix; ARGV[2] JSON as in parts/ack.lua and {why = {class, code, message, alert}}; ARGV[3] evidence;
-- ARGV[4] '' ; ARGV[5..] successors. Returns own | waiting | truth | already | superseded | missing

need_ack()
need_why(A.why)
local now = read_clock()
local J = job_read(A.id)
local status = ack_status(J)
if status == 'missing' or status == 'already' or status == 'forgotten' then return status end
local mine = ack_open(J, status, now)
job_note(A.id, ARGV[3])
if not mine then return status end
redis.call('HINCRBY', k_job(A.id), 'runs', A.settle.mode == 'refund' and 0 or 1)
redis.call('HINCRBY', k_job(A.id), 'attempts', 1)
redis.call('HDEL', k_job(A.id), 'sending')
job_bury(J, A.why, now)
ack_rest(now)
return status

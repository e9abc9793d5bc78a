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
job_note(J, ARGV[3])
if not mine then return status end
if A.settle.mode ~= 'refund' then job_set(J, 'runs', I((J.runs or 0) + 1)) end
job_set(J, 'attempts', I((J.attempts or 0) + 1))
-- the trouble of the lane has been told: its victims are no news, unless nobody knows what became of them
if A.trouble and J['repeat'] == '1' and trouble_told(J.lane) then A.why.alert = false end
job_bury(J, A.why, now)
ack_rest(now)
return status

#!lua
--!include letter
--!include facts
-- A dead letter (or an expired job) goes through its lane again, with its id, at the end of the line.
-- KEYS[1] prefix; ARGV[2] JSON {id, by, reason, unknown = true to send again a call whose outcome is unknown,
-- prio = another priority}
-- returns 'waiting' | 'missing' | 'unknown' (say so explicitly) | 'discarded' (restore it first) | 'undelivered' | its other state

if A.prio then need_type(A.prio, 'number', 'prio') end
local now = read_clock()
local J = job_read(A.id)
if not J then return 'missing' end
local objection = letter_objection(J, A.unknown, true)
if objection then return objection end
letter_redrive(J, {by = A.by, reason = A.reason, prio = A.prio}, now)
return 'waiting'

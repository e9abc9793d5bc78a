#!lua flags=allow-oom
--!include letter
-- Marks a dead letter as not to be sent again, or takes the mark back. Nothing is deleted.
-- KEYS[1] prefix; ARGV[2] JSON {id, by, reason, undo}; returns 'discarded' | 'restored' | 'already' | 'missing' | state

local now = read_clock()
local J = job_read(A.id)
if not J then return 'missing' end
if J.state ~= 'dead' then return J.state end
if not letter_mark(J, A.undo == true, A.by, A.reason, now) then return 'already' end
return A.undo and 'restored' or 'discarded'

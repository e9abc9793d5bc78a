#!lua
--!include clock
-- A person writes something down about a job or a problem, for the next person.
-- KEYS[1] prefix; ARGV[2] JSON {about = 'job' | 'problem', id, by, text, most, keep_s (0: as long as the problem)}
-- notes:<id> list, oldest first: JSON {at_us, by, text}
-- returns how many there are now | 'missing' | 'full'

local now = read_clock()
local record = A.about == 'job' and k_job(A.id) or k_problem(A.id)
if redis.call('EXISTS', record) == 0 then return 'missing' end
if redis.call('LLEN', k_notes(A.id)) >= A.most then return 'full' end
local count = redis.call('RPUSH', k_notes(A.id), cjson.encode({at_us = I(now), by = A.by, text = A.text}))
if A.keep_s > 0 then redis.call('EXPIRE', k_notes(A.id), A.keep_s) end
redis.call('LPUSH', k_audit(), cjson.encode({at_us = I(now), what = 'note', by = A.by, reason = A.text, [A.about] = A.id}))
redis.call('LTRIM', k_audit(), 0, 9999)
return count

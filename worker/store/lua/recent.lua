#!lua flags=allow-oom
--!include clock
--!include recent
--!include facts
-- Jobs that a worker has done lately can be listed from now on.
-- KEYS[1] prefix; ARGV[2] JSON {jobs = [[id, µs ago] …], at most 1000}. Returns how many were named

for _, job in ipairs(A.jobs) do
  need_type(job[1], 'string', 'id')
  need_type(job[2], 'number', 'age')
end
need(#A.jobs <= 1000, 'at most 1000 jobs')
local now = read_clock()
local words = {}
for _, job in ipairs(A.jobs) do
  words[#words + 1] = I(now - job[2])
  words[#words + 1] = job[1]
end
if #words > 0 then recent_add(words) end
return #A.jobs

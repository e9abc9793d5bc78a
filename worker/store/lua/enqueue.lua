#!lua
--!include accept
--!include facts
-- Takes jobs in, each once. Not allow-oom: a full store refuses new work, so that running work keeps its room.
-- KEYS[1] prefix (string)
-- ARGV[1] test clock or ''; ARGV[2] JSON {jobs: [facts of parts/accept.lua]}, `dl` in µs; ARGV[3..] message of each job
-- returns {status, id, status, id, …}: accepted | duplicate | conflict

for i, facts in ipairs(A.jobs) do need_job(facts, ARGV[2 + i]) end
local now = read_clock()
local reply = {}
for i, facts in ipairs(A.jobs) do
  local status, id = job_accept(facts, ARGV[2 + i], now)
  reply[#reply + 1] = status
  reply[#reply + 1] = id
end
return reply

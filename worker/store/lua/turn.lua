#!lua flags=allow-oom
--!decision finish
--!decision park late
--!decision bury late
--!decision take
-- One turn of a worker process: the ends of its jobs, one after another, each by the decision that its own script makes
-- alone; and in the same call the next jobs for the threads that are free then. What a call costs before it decides
-- anything is paid once for all of them. An end that cannot be carried out says so and leaves the others alone.
-- KEYS[1] prefix; ARGV[2] JSON {ends = [{decision, blobs = how many, in_hand = whether a thread is free when it is over,
-- and the facts of that decision}], take = facts of that decision or absent; its `want` counts threads that are free
-- already, below 0 when there are too few}; ARGV[3..] the blobs of each end, in order
-- returns {{one answer per end: what its decision returns, or an error}, what take returns, or an error, or false}

local function decide_end(name)
  if name == 'finish' then return decide_finish() end
  if name == 'park' then return decide_park() end
  if name == 'bury' then return decide_bury() end
  error('no end: ' .. tostring(name))
end

local STILL_IN_HAND = {missing = true, forgotten = true}

local function attempt(decide, name)
  local fine, answer = pcall(decide, name)
  if fine then return answer end
  return {err = type(answer) == 'table' and answer.err or 'ERR ' .. tostring(answer)}
end

local asked, words, at = A, ARGV, 3
local answers, free = {}, 0
local leases, held = {}, {}
for i, facts in ipairs(asked.ends) do leases[i] = facts.lease end
if #leases > 0 then
  for i, record in ipairs(redis.call('HMGET', k_lease(), unpack(leases))) do held[leases[i]] = record end
end
together(held)
for i, facts in ipairs(asked.ends) do
  A = facts
  ARGV = {words[1], words[2], unpack(words, at, at + facts.blobs - 1)}
  at = at + facts.blobs
  local answer = attempt(decide_end, facts.decision)
  if facts.in_hand and type(answer) == 'string' and not STILL_IN_HAND[answer] then free = free + 1 end
  answers[i] = answer
end
apart(read_clock())
if not asked.take then return {answers, false} end
A, ARGV = asked.take, words
A.want = A.want + free
return {answers, attempt(decide_take)}

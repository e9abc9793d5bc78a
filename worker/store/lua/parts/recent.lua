-- The last jobs that were done or cancelled, so that somebody can look through them. No list of all: their records go by
-- themselves. What workers have done comes in portions, seconds later (recent.lua); a job's end pays nothing for it.

local RECENT = 10000

-- words = score, id, score, id …
local function recent_add(words)
  redis.call('ZADD', k_recent(), unpack(words))
  redis.call('ZREMRANGEBYRANK', k_recent(), 0, -RECENT - 1)
end

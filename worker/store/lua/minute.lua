#!lua flags=allow-oom
--!include clock
-- Keeps, once per slice for the whole fleet, how many jobs had come and ended by then: what history is made of.
-- KEYS[1] prefix; ARGV[2] JSON {every = µs of a slice, keep = how many of them}
-- minutes list, newest first: 'at(µs) accepted done died retried expired cancelled'
-- returns µs until the next slice begins

local FIELDS = {'accepted', 'done', 'died', 'retried', 'expired', 'cancelled'}

local now = read_clock()
local last = redis.call('LINDEX', k_minutes(), 0)
local at = last and tonumber(string.match(last, '^%d+'))
if not at or math.floor(now / A.every) > math.floor(at / A.every) then
  local counts = redis.call('HMGET', k_counts(), unpack(FIELDS))
  for i = 1, #FIELDS do counts[i] = counts[i] or '0' end
  redis.call('LPUSH', k_minutes(), I(now) .. ' ' .. table.concat(counts, ' '))
  redis.call('LTRIM', k_minutes(), 0, A.keep - 1)
end
return A.every - now % A.every

#!lua flags=allow-oom
--!include clock
-- A process leaves word what the store's clock showed when its machine's boot-time clock showed what. The latter goes on
-- evenly while the former may step, so the next process of this machine knows what to expect before it has ever asked.
-- KEYS[1] prefix; ARGV[2] JSON {machine, word = 'store's µs, boot-time µs'}; returns 1

local MOST = 1000      -- machines

redis.call('HSET', k_clocks(), A.machine, A.word)
if redis.call('HLEN', k_clocks()) > MOST then
  local oldest, at
  local all = redis.call('HGETALL', k_clocks())
  for i = 1, #all, 2 do
    local seen = tonumber(string.match(all[i + 1], '^%d+'))
    if not at or seen < at then oldest, at = all[i], seen end
  end
  redis.call('HDEL', k_clocks(), oldest)
end
return 1

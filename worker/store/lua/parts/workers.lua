--!include lane
-- Worker processes: who lives, with how many threads. The fleet's threads are the measure of every in-flight cap.

local DIGEST_LIVES = 60000000   -- settings that no worker has carried for so long are nobody's

--!late
local function digest_lives(digest, now)
  return tonumber(redis.call('ZSCORE', k_confs(), digest) or 0) > now - DIGEST_LIVES
end

local function fleet_measure()
  local threads = 0
  for _, worker in ipairs(redis.call('ZRANGE', k_workers(), 0, -1)) do
    threads = threads + tonumber(redis.call('HGET', k_worker(worker), 'threads') or 0)
  end
  FLEET = threads
  redis.call('HSET', k_meta(), 'fleet', I(threads))
end

local function worker_beat(worker, now, silent_us)
  redis.call('ZADD', k_workers(), I(now), worker)
  local gone = redis.call('ZRANGEBYSCORE', k_workers(), '-inf', I(now - silent_us), 'LIMIT', 0, 50)
  for _, name in ipairs(gone) do
    redis.call('ZREM', k_workers(), name)
    redis.call('DEL', k_worker(name), k_bell(name))
  end
  if #gone > 0 then fleet_measure() end
end

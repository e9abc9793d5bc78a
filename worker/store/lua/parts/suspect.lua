--!include hold
-- The store may have forgotten something: emptied, another run of the server that may have lost its tail, a failover,
-- a clock that stepped. For one lease nothing is handed out while renewals re-create lost leases; after that each
-- window stays unsure until headers have told, or until it has passed once.
-- meta: run, quiet (nothing is handed out before, µs), unsure (since, µs), suspect (cause)

local function suspect_begin(cause, lease_us, mode, now)
  if mode == 'fresh' and cause == 'empty' then return end
  local before = redis.call('HGET', k_meta(), 'suspect')
  if before and before ~= cause then resolve_alert('suspect:' .. before, now) end
  redis.call('HSET', k_meta(), 'quiet', I(now + lease_us), 'unsure', I(now), 'suspect', cause)
  if cause ~= 'first' then
    raise_alert('suspect:' .. cause, cjson.encode({kind = 'suspect', cause = cause}), now)
  end
end

-- compares the server's run with the one last seen; `durable`: a restart cannot have lost anything
local function suspect_check(run, durable, lease_us, mode, now)
  local known = redis.call('HGET', k_meta(), 'run')
  if known == run then return end
  redis.call('HSET', k_meta(), 'run', run)
  if not known then
    suspect_begin('empty', lease_us, mode, now)
  elseif not durable then
    suspect_begin('restart', lease_us, mode, now)
  end
end

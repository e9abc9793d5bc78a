--!include hold
-- The store may have forgotten something: emptied, another run of the server that may have lost its tail, a failover,
-- a clock that stepped. For one lease nothing is handed out while renewals re-create lost leases; after that each
-- window stays unsure until headers have told, or until it has passed once.
-- meta: run, quiet (nothing is handed out before, µs), unsure (since, µs), suspect (cause)

--!late
local function suspect_begin(cause, lease_us, mode, now)
  if mode == 'fresh' and cause == 'empty' then return end
  if SUSPECT and SUSPECT ~= cause then resolve_alert('suspect:' .. SUSPECT, now) end
  UNSURE, QUIET, SUSPECT = now, now + lease_us, cause
  redis.call('HSET', k_meta(), 'quiet', I(QUIET), 'unsure', I(UNSURE), 'suspect', SUSPECT)
  if cause ~= 'first' then
    raise_alert('suspect:' .. cause, cjson.encode({kind = 'suspect', cause = cause}), now)
  end
end

-- compares the server's run with the one last seen; `durable`: a restart cannot have lost anything
local function suspect_check(run, durable, lease_us, mode, now)
  if RUN == run then return end
  redis.call('HSET', k_meta(), 'run', run)
  if not RUN then
    suspect_begin('empty', lease_us, mode, now)
  elseif not durable then
    suspect_begin('restart', lease_us, mode, now)
  end
end

--!include hold
-- The store may have forgotten something: emptied, another run of the server that may have lost its tail, a failover,
-- a clock that stepped. For one lease nothing is handed out while renewals re-create lost leases; after that each
-- window stays unsure until headers have told, or until it has passed once.
-- meta: run, durable ('1' or '0'), quiet (nothing is handed out before, µs), unsure (since, µs), suspect (cause)

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

-- Compares the server's run with the one last seen. What may have been lost went with the run before: it is believed to
-- have lost nothing when it was `durable` whenever it was looked at, and when this one is no replica that took over.
local function suspect_check(run, durable, lease_us, mode, now)
  local before = DURABLE
  local kept = durable and (RUN ~= run or before ~= '0') and '1' or '0'
  if RUN == run and before == kept then return end
  redis.call('HSET', k_meta(), 'run', run, 'durable', kept)
  if not RUN then
    suspect_begin('empty', lease_us, mode, now)
  elseif RUN ~= run and not (durable and before == '1') then
    suspect_begin('restart', lease_us, mode, now)
  end
end

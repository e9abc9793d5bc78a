#!lua flags=allow-oom
--!include hold
-- Ends a hold; or, with probe = true, lets one job try at once (its credential or certificate has changed).
-- KEYS[1] prefix; ARGV[2] JSON {scope, by, reason, probe}; returns 'released' | 'probing' | 'none'

local now = read_clock()
local hold = hold_read(A.scope)
if not hold then return 'none' end
local identity = hold.cause == 'credential' or hold.cause == 'certificate'
if A.probe then
  if not identity then return 'none' end
  hold.probe = nil
  hold.probe_at = I(now)
  hold_write(A.scope, hold)
  hold_wake(A.scope, now)
  return 'probing'
end
if identity and hold.every then
  -- released by a person: the next job is the probe, so that a token still refused costs one call, not thousands
  hold.probe = nil
  hold.probe_at = I(now)
  hold_write(A.scope, hold)
  hold_wake(A.scope, now)
else
  hold_release(A.scope, now)
end
redis.call('LPUSH', k_audit(), cjson.encode({at_us = I(now), what = 'release', scope = A.scope, by = A.by, reason = A.reason}))
redis.call('LTRIM', k_audit(), 0, 9999)
return 'released'

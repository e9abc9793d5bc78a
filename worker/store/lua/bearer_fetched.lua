#!lua flags=allow-oom
--!include clock
-- What became of fetching a bearer token. Whoever was too slow, so that another fetches now, changes nothing.
-- KEYS[1] prefix; ARGV[2] JSON {account, claim, version, lapse_us} or {account, claim, bar_us, why = JSON text};
-- ARGV[3] the sealed token or ''
-- returns 'kept' | 'barred' | 'late'

local now = read_clock()
local key = k_bearer(A.account)
if redis.call('HGET', key, 'claim') ~= A.claim then return 'late' end
local after = redis.call('HGET', key, 'after') or '0'
redis.call('HDEL', key, 'claim', 'until', 'after', 'barred', 'why')
if A.bar_us then
  redis.call('HSET', key, 'barred', I(now + A.bar_us), 'why', A.why)
  return 'barred'
end
-- `second`: it replaced one that the API had refused; refused too, it is not replaced again
redis.call('HSET', key, 'sealed', ARGV[3], 'lapses', I(now + A.lapse_us), 'version', A.version, 'second', after)
redis.call('PEXPIRE', key, math.ceil(A.lapse_us / 1000) + 86400000)
return 'kept'

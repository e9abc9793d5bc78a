#!lua flags=allow-oom
--!include clock
-- The bearer token of an account, shared by all processes; one of them at a time fetches another before it lapses.
-- KEYS[1] prefix; ARGV[2] JSON {account, claim, early_us, claim_us, refused = version of a token that the API refused}
-- returns {'token', sealed, lapses µs, version, now µs} | {'fetch'} (you, within claim_us) | {'wait'} (somebody does)
--   | {'barred', why} (it was tried and refused; not again yet)

local now = read_clock()
local key = k_bearer(A.account)
local v = redis.call('HMGET', key, 'sealed', 'lapses', 'version', 'claim', 'until', 'barred', 'why', 'second')
local sealed, lapses, version = v[1], tonumber(v[2] or 0), v[3]
local good = sealed and lapses > now and version ~= A.refused
local function token() return {'token', sealed, I(lapses), version, I(now)} end
if good and lapses > now + A.early_us then return token() end
if tonumber(v[6] or 0) > now then
  if good then return token() end
  return {'barred', v[7] or '{}'}
end
if v[4] and v[4] ~= A.claim and tonumber(v[5] or 0) > now then
  if good then return token() end
  return {'wait'}
end
local refused = sealed and version == A.refused
if refused and v[8] == '1' then
  return {'barred', '{"class": "credential_refused", "code": "token_refused_twice"}'}
end
redis.call('HSET', key, 'claim', A.claim, 'until', I(now + A.claim_us), 'after', refused and '1' or '0')
return {'fetch'}

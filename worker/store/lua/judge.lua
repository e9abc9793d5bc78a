#!lua flags=allow-oom
--!include share
-- Looks now and then, for the whole fleet, whether somebody should be advised: about quota, about rising shares. A look
-- goes over all accounts, in order of their names, a hundred a call, so that none keeps the store long; whoever asks next
-- goes on where the last one has stopped.
-- meta: judged = when the look began (µs), judging = how far it is: 'a<account>' or, after all of them, 'f<family>
-- <cursor>' among what is kept of accounts; absent when it is over
-- KEYS[1] prefix
-- ARGV[2] JSON {every = µs between two looks, quota = {share, ages = {µs for urgent, normal, bulk; -1: never}},
--   shares = {jump, least, period = µs, classes {api: [class]}}}
-- returns {µs until there is more to look at, 0 in the middle of a look; 1 when somebody is told}

local SLICE = 100         -- accounts a call
local CLEAR = 0.95        -- of the share from which on advice is given: below that it is over

local now = read_clock()
local m = redis.call('HMGET', k_meta(), 'judged', 'judging')
local judged, at = tonumber(m[1] or 0), m[2]
if not at then
  if now - judged < A.every then return {judged + A.every - now, 0} end
  redis.call('HSET', k_meta(), 'judged', I(now))
  judged, at = now, 'a'
end

local function quota_judge(account)
  local field = account.name .. '|quota'
  local q = quota_figures(account, now)
  local bar = A.quota.share * (watch_read(field) and CLEAR or 1)
  local full = q.w and q.w.long and q.limit > 0 and q.used >= bar * q.limit
  local oldest, late = 0, nil
  for p, age in ipairs(q.ages) do
    if A.quota.ages[p] >= 0 and age >= A.quota.ages[p] and age > oldest then oldest, late = age, p - 1 end
  end
  return watch(field, 'quota:' .. account.name, full or late ~= nil, {kind = 'quota', api = account.api,
    account = account.name, full = full or false, used = q.used, limit = q.limit,
    length_s = q.w and q.w.len / 1000000, waiting = q.waiting, oldest_s = late and math.floor(oldest / 1000000),
    priority = late}, now)
end

local told = 0

local function account_judge(account)
  if quota_judge(account) then told = 1 end
  local classes = A.shares.classes[account.api]
  if not classes then return end
  local sample = sample_now(account, classes, now)
  local first, from = bounds_of(account, sample, A.shares.period, now)
  for _, class in ipairs(classes) do
    if share_judge(account, class, first, from, sample, A.shares, now) then told = 1 end
  end
end

local function known(account) return account and redis.call('ZSCORE', k_accounts(), account) end

-- fields of accounts that settings no longer name; the cursor to go on with, '0' at the end
local function fields_forget(family, cursor)
  local scanned = redis.call('HSCAN', family, cursor, 'COUNT', SLICE)
  for i = 1, #scanned[2], 2 do
    local field = scanned[2][i]
    if not known(field) and not known(string.match(field, '^(.*)|[^|]*$')) then
      local record = family == k_watches() and watch_read(field)
      if record then resolve_alert(record.key, now) end
      redis.call('HDEL', family, field)
    end
  end
  return scanned[1]
end

local after = string.match(at, '^a(.*)$')
if after then
  local accounts = accounts_after(after, SLICE)
  for _, account in ipairs(accounts) do account_judge(account) end
  at = #accounts == SLICE and 'a' .. accounts[SLICE].name or 'f1 0'
end
local families = {k_tally(), k_samples(), k_watches()}
local number, cursor = string.match(at, '^f(%d) (%d+)$')
number = tonumber(number)
-- a cursor goes through what is small at once: then one call does all there is
for _ = 1, #families do
  if not number or number > #families then break end
  cursor = fields_forget(families[number], cursor)
  if cursor ~= '0' then break end
  number = number + 1
end
if number and number > #families then
  redis.call('HDEL', k_meta(), 'judging')
  return {math.max(1, judged + A.every - now), told}
end
redis.call('HSET', k_meta(), 'judging', number and 'f' .. I(number) .. ' ' .. cursor or at)
return {0, told}

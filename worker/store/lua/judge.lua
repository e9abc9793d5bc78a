#!lua flags=allow-oom
--!include share
-- Looks now and then, for the whole fleet, whether somebody should be advised: about quota, about rising shares.
-- KEYS[1] prefix
-- ARGV[2] JSON {every = µs between two looks, quota = {share, ages = {µs for urgent, normal, bulk; -1: never}},
--   shares = {jump, least, period = µs, classes {api: [class]}}}
-- returns {µs until the next look is due, 1 when somebody is told}

local CLEAR = 0.95        -- of the share from which on advice is given: below that it is over

local now = read_clock()
local judged = tonumber(redis.call('HGET', k_meta(), 'judged') or 0)
if now - judged < A.every then return {judged + A.every - now, 0} end
redis.call('HSET', k_meta(), 'judged', I(now))

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

local told, known = 0, {}
for _, account in ipairs(accounts_known()) do
  known[account.name] = true
  if quota_judge(account) then told = 1 end
  local classes = A.shares.classes[account.api]
  if classes then
    local sample = sample_now(account, classes, now)
    local first, from = bounds_of(account, sample, A.shares.period, now)
    for _, class in ipairs(classes) do
      if share_judge(account, class, first, from, sample, A.shares, now) then told = 1 end
    end
  end
end

-- accounts that settings no longer name
for _, family in ipairs({k_tally(), k_samples(), k_watches()}) do
  for _, field in ipairs(redis.call('HKEYS', family)) do
    if not known[field] and not known[string.match(field, '^(.*)|[^|]*$') or ''] then
      local record = family == k_watches() and watch_read(field)
      if record then resolve_alert(record.key, now) end
      redis.call('HDEL', family, field)
    end
  end
end
return {A.every, told}

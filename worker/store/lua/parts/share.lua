--!include watch
-- How large a part of an account's recent answers is of one class, beside what was usual before.
-- samples: <account> -> msgpack [{at, total, counts {class: n}}], one per slice of time, oldest first. What is counted
-- only grows, so two samples tell what happened between them.

local SLICES = 5          -- of a period
local PERIODS = 8         -- that are looked back on, before the recent one

local function samples_read(account)
  local packed = redis.call('HGET', k_samples(), account)
  return packed and cmsgpack.unpack(packed) or {}
end

-- calls of the account that have been answered or given up
local function answers_of(account, now)
  local w = longest_window(account, now)
  return w and w.taken - w.inf or 0
end

local function sample_now(account, classes, now)
  local sample = {at = now, total = answers_of(account, now), counts = {}}
  for _, class in ipairs(classes) do
    sample.counts[class] = tonumber(redis.call('HGET', k_tally(), account.name .. '|' .. class) or 0)
  end
  return sample
end

-- the samples that bound the recent period and what came before it
local function bounds_of(account, sample, period, now)
  local samples = samples_read(account.name)
  local last = samples[#samples]
  if last and last.total > sample.total then samples, last = {}, nil end    -- the store has forgotten
  if not last or now - last.at >= period / SLICES then
    samples[#samples + 1] = sample
    while samples[2] and samples[2].at <= now - (PERIODS + 1) * period do table.remove(samples, 1) end
    while #samples > (PERIODS + 1) * SLICES + 1 do table.remove(samples, 1) end
    redis.call('HSET', k_samples(), account.name, cmsgpack.pack(samples))
  end
  local from = samples[1]
  for _, each in ipairs(samples) do
    if each.at <= now - period then from = each end
  end
  return samples[1], from
end

local function share_between(a, b, class)
  local total = b.total - a.total
  local n = b.counts[class] - (a.counts[class] or 0)
  return total > 0 and math.min(1, n / total) or 0, n, total
end

-- Too few answers say nothing: an alert that stands goes on. It stands until the share is half-way back to what was
-- usual when it rose, not to what has become usual since.
local function share_judge(account, class, first, from, sample, wanted, now)
  local field = account.name .. '|' .. class
  local record = watch_read(field)
  local share, n, total = share_between(from, sample, class)
  local before, _, known = share_between(first, from, class)
  if known < wanted.least then before = 0 end
  local on
  if record then
    on = total < wanted.least or share >= (record.usual or 0) + wanted.jump / 2
  else
    on = n >= wanted.least and share - before >= wanted.jump
  end
  return watch(field, 'share:' .. field, on, {kind = 'share', api = account.api, account = account.name,
    class = class, count = n, total = total, share = share, before = before, period_s = wanted.period / 1000000}, now)
end

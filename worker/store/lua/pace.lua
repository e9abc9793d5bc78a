#!lua flags=allow-oom
--!include clock
--!include facts
-- How many requests of a caller's key may be answered now: never more than `limit` in any `span`, whoever serves them.
-- A request counts in the slice of time it falls into, until the slice's end + span: safe in every true window; what is
-- lost by it is one slice at most. pace:<key> hash: slice -> requests
-- KEYS[1] prefix; ARGV[2] JSON {key, limit, want, span = µs, slices}
-- returns {granted, left, µs until the next one is free (0: now), µs until all of them are}

for _, name in ipairs({'limit', 'want', 'span', 'slices'}) do need_type(A[name], 'number', name) end
need_type(A.key, 'string', 'key')
local now = peek_clock()
local key = k_pace(A.key)
local size = math.floor(A.span / A.slices)
local slice = math.floor(now / size)
local first = slice - A.slices          -- this one ended a span ago, or is about to: it still counts

local used, counts, gone = 0, {}, {}
local all = redis.call('HGETALL', k_pace(A.key))
for i = 1, #all, 2 do
  local at, n = tonumber(all[i]), tonumber(all[i + 1])
  -- a slice of the future was written before a restart of the store's clock: nobody can wait for it
  if at < first or at > slice then gone[#gone + 1] = all[i] else
    used = used + n
    counts[#counts + 1] = {at, n}
  end
end
table.sort(counts, function(a, b) return a[1] < b[1] end)

local granted = math.max(0, math.min(A.want, A.limit - used))
if granted > 0 then
  redis.call('HINCRBY', key, I(slice), granted)
  redis.call('PEXPIRE', key, I(math.ceil((A.span + 2 * size) / 1000)))
end
if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end

local left = A.limit - used - granted
local function free_at(at) return (at + A.slices + 1) * size - now end
local wait, full = 0, 0
if counts[1] then full = free_at(counts[#counts][1]) end
if granted > 0 then full = free_at(slice) end
if left <= 0 then
  local over = used + granted - A.limit + 1     -- so many must go before one is free: more than one after a lower limit
  wait = full
  for _, one in ipairs(counts) do
    over = over - one[2]
    if over <= 0 then
      wait = free_at(one[1])
      break
    end
  end
end
return {granted, math.max(0, left), math.max(0, wait), math.max(0, full)}

--!include clock
--!include together
-- One window of an account: permits settled in buckets, permits in flight, what others use.
-- 1440 buckets of window/1440 (rounded up): a permit frees at the END of its bucket + window, so never early.
-- 1442 slots, because a window that starts inside a bucket touches one more on either side.
-- win:<account|window> hash, µs and counts:
--   lim limit in force, ceil configured limit, len length, tot settled and still inside, inf in flight, late of those
--   never answered, taken permits ever taken and not given back, asked last take, first oldest bucket still inside,
--   sure last told by headers, shut closed until, rv/rn a higher limit seen, urg last urgent demand, rb/rn2 reserve of
--   bulk and normal in thousandths; what others use (parts/others.lua): fgn how much, fgn_at take time of the call that
--   told it, fgn_till its end, top since when it can have become less, kept how long it cannot, sign
--   when it was last certain that there are others, heard permits taken up to the last call that told (0: none does)

local SLOTS = 1442
local W_FIELDS = {'lim', 'ceil', 'len', 'tot', 'inf', 'late', 'taken', 'first', 'fgn', 'fgn_at', 'fgn_till', 'sure',
  'shut', 'kept', 'rv', 'rn', 'top', 'sign', 'heard', 'asked'}

--!late
local function ring_read(w, from, n)
  local slot = from % SLOTS
  local head = math.min(n, SLOTS - slot)
  local s = redis.call('GETRANGE', k_ring(w.name), slot * 4, (slot + head) * 4 - 1)
  if #s < head * 4 then s = s .. string.rep('\0', head * 4 - #s) end
  if head < n then
    local t = redis.call('GETRANGE', k_ring(w.name), 0, (n - head) * 4 - 1)
    s = s .. t .. string.rep('\0', (n - head) * 4 - #t)
  end
  return s
end

-- next non-empty bucket of the bytes `s` at or after bucket i (from 1): its index and count, or nil
--!late
local function ring_next(s, i)
  local at = string.find(s, '[^%z]', (i - 1) * 4 + 1)
  if not at then return nil end
  local b = math.floor((at - 1) / 4)
  local c1, c2, c3, c4 = string.byte(s, b * 4 + 1, b * 4 + 4)
  return b + 1, c4 + c3 * 256 + c2 * 65536 + c1 * 16777216
end

--!late
local function ring_write(w, from, s)
  local slot = from % SLOTS
  local head = math.min(#s, (SLOTS - slot) * 4)
  redis.call('SETRANGE', k_ring(w.name), slot * 4, string.sub(s, 1, head))
  if head < #s then redis.call('SETRANGE', k_ring(w.name), 0, string.sub(s, head + 1)) end
end

--!late
local function ring_count(w, bucket, n)
  redis.call('BITFIELD', k_ring(w.name), 'INCRBY', 'u32', '#' .. I(bucket % SLOTS), n)
end

--!late
local function ring_add(w, at)
  local bucket = math.floor(at / w.bw)
  if bucket < w.first then return end
  w.tot = w.tot + 1
  if TOGETHER then
    w.new[bucket] = (w.new[bucket] or 0) + 1
  else
    ring_count(w, bucket, 1)
  end
end

--!late
local function window_save(w)
  if TOGETHER then return end
  local words = {}
  for _, field in ipairs(W_FIELDS) do
    if w[field] ~= w.was[field] then
      words[#words + 1] = field
      words[#words + 1] = I(w[field])
      w.was[field] = w[field]
    end
  end
  if #words > 0 then redis.call('HSET', k_window(w.name), unpack(words)) end
end

-- forgets the buckets that have left the window
--!late
local function ring_roll(w, now)
  local first = math.floor((now - w.len) / w.bw)
  if first <= w.first then return end
  if w.tot > 0 then
    local n = first - w.first
    local freed = 0
    if n >= SLOTS then
      freed = w.tot
    else
      local s = ring_read(w, w.first, n)
      local i, count = ring_next(s, 1)
      while i do
        freed = freed + count
        i, count = ring_next(s, i + 1)
      end
      if freed > 0 and freed < w.tot then ring_write(w, w.first, string.rep('\0', n * 4)) end
    end
    w.tot = w.tot - freed
    if w.tot <= 0 then
      w.tot = 0
      redis.call('DEL', k_ring(w.name))
    end
  end
  w.first = first
end

-- What is moved is written down at once: a caller that finds no room for itself saves nothing.
-- Forgets first, then moves what has become certain into buckets: the other way round a new bucket could stand in the
-- slot of one that is about to be forgotten, and go with it.
--!late
local function window_roll(w, now)
  local settled = w.tot
  ring_roll(w, now)
  local due = {}
  if w.late > 0 then
    due = redis.call('ZRANGEBYSCORE', k_late(w.name), '-inf', I(now), 'WITHSCORES', 'LIMIT', 0, 100)
  end
  for i = 1, #due, 2 do
    redis.call('ZREM', k_late(w.name), due[i])
    ring_add(w, tonumber(due[i + 1]))
    w.inf = w.inf - 1
    w.late = w.late - 1
  end
  if #due > 0 or w.tot < settled then window_save(w) end
end

local LOADED = {}     -- one script is one moment, so it reads each window once

--!late
local function window_load(name, now)
  if LOADED[name] then return LOADED[name] end
  local v = redis.call('HMGET', k_window(name), unpack(W_FIELDS))
  if not v[1] then return nil end
  local w, was = {name = name, now = now, new = {}}, {}
  for i, field in ipairs(W_FIELDS) do
    local number = tonumber(v[i] or 0)
    w[field], was[field] = number, number
  end
  w.was = was
  w.bw = math.ceil(w.len / 1440)
  if w.fgn > 0 and w.fgn_till <= now then w.fgn = 0 end
  window_roll(w, now)
  LOADED[name] = w
  return w
end

local function windows_save()
  for _, w in pairs(LOADED) do
    for bucket, n in pairs(w.new) do ring_count(w, bucket, n) end
    w.new = {}
    window_save(w)
  end
end

-- when the next call that was never answered counts as arrived; below 0 while an answer may still come first; nil
-- without any
--!late
local function window_late(w, now)
  if w.late == 0 then return nil end
  local head = redis.call('ZRANGE', k_late(w.name), 0, 0, 'WITHSCORES')
  local at = head[2] and math.max(tonumber(head[2]), now + 1)
  return at and (w.inf > w.late and -at or at)
end

-- when `deficit` permits will have left the window; below 0: then, or when a call in flight settles; nil when only that
-- can tell
--!late
local function window_next(w, now, deficit)
  local got = 0
  local foreign = w.fgn
  local i = w.first
  local last = math.floor(now / w.bw)
  while w.tot > 0 and i <= last do
    local n = math.min(128, last - i + 1)
    local s = ring_read(w, i, n)
    local b, count = ring_next(s, 1)
    while b do
      local at = (i + b) * w.bw + w.len
      if foreign > 0 and w.fgn_till <= at then
        got = got + foreign
        foreign = 0
        if got >= deficit then return w.fgn_till end
      end
      got = got + count
      if got >= deficit then return at end
      b, count = ring_next(s, b + 1)
    end
    i = i + n
  end
  if foreign > 0 and got + foreign >= deficit then return w.fgn_till end
  return window_late(w, now)
end

-- permits kept back from priority p (1 normal, 2 bulk) while urgent demand is recent; one always stays open
--!late
local function window_reserve(w, p, now)
  if p == 0 or w.len < 60000000 then return 0 end
  local v = redis.call('HMGET', k_window(w.name), 'urg', p == 2 and 'rb' or 'rn2')
  local urgent, share = tonumber(v[1] or 0), tonumber(v[2] or 0)
  if urgent == 0 or urgent < now - 10 * w.len then return 0 end
  return math.max(0, math.min(math.ceil(w.lim * share / 1000), w.lim - 1))
end

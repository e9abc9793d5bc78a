--!include lane
-- What becomes of a permit: settled by an answer, kept for a call that never answered, or given back unused.
-- lease hash: lease -> msgpack {id, acct, op, group, p, at, sent windows: names, occ, taken, worker, probe}

local function lease_read(lease)
  local packed
  if TOGETHER then packed = TOGETHER.held[lease] else packed = redis.call('HGET', k_lease(), lease) end
  if not packed then return nil end
  local ok, info = pcall(cmsgpack.unpack, packed)
  if ok and type(info) == 'table' then return info end
  return nil
end

-- settle = {mode = 'answered', age = µs since the first response byte}
--        | {mode = 'unanswered', more = µs from now until the latest possible arrival, or since: below 0}
--        | {mode = 'refund'}
local function permit_settle(info, lease, settle, told, now)
  local freer = settle.mode == 'refund'
  for i, name in ipairs(info.win) do
    local w = window_load(name, now)
    if w then
      if settle.mode == 'refund' then
        w.inf = w.inf - 1
        w.taken = w.taken - 1     -- it never went out: no answer can have counted it
      elseif settle.mode == 'answered' then
        w.inf = w.inf - 1
        ring_add(w, now - (settle.age or 0))
      else
        redis.call('ZADD', k_late(name), I(now + settle.more), lease)
        w.late = w.late + 1
      end
      local short = last_of(name)
      if told and told[short] then
        freer = learn(w, told[short], info.at, info.occ[i], info.taken[i], now) or freer
      elseif settle.mode == 'answered' then
        others_untold(w, now)
      end
      window_save(w)
    end
  end
  if TOGETHER then
    TOGETHER.settled[info.acct] = TOGETHER.settled[info.acct] or freer
  else
    open_gates(info.acct, now, not freer)
  end
end

-- the answer to a lease that was taken back in the meantime: its permit waits in `late`; put it where it belongs
--!late
local function permit_correct(group, lease, settle, now)
  if settle.mode ~= 'answered' then return end
  for _, name in ipairs(windows_of(group) or {}) do
    if redis.call('ZREM', k_late(name), lease) == 1 then
      local w = window_load(name, now)
      w.late = w.late - 1
      w.inf = w.inf - 1
      ring_add(w, now - (settle.age or 0))
      window_save(w)
    end
  end
end

-- a lease made again takes its permit back from those that were never answered, where it is still among them
local function permit_retake(windows, lease)
  for _, w in ipairs(windows) do
    if redis.call('ZREM', k_late(w.name), lease) == 1 then
      w.late = w.late - 1
    else
      w.inf = w.inf + 1
      w.taken = w.taken + 1
    end
    window_save(w)
  end
end

local function lease_drop(lease, info, now)
  if TOGETHER then
    TOGETHER.held[lease] = nil
    TOGETHER.dropped[#TOGETHER.dropped + 1] = lease
  else
    redis.call('ZREM', k_leases(), lease)
    redis.call('HDEL', k_lease(), lease)
  end
  if info.op then lane_landed(info.acct .. '|' .. info.op, info.group, now) end
end

-- longest wait a refusal may ask for: its longest window and a tenth more; an hour where no window is known
--!late
local function longest_wait(group)
  local longest = 0
  for _, name in ipairs(windows_of(group) or {}) do
    longest = math.max(longest, tonumber(redis.call('HGET', k_window(name), 'len') or 0))
  end
  if longest == 0 then return 3600000000 end
  return longest * 1.1
end

-- budget closed by a refusal. close = {windows = {short names} or nil, after = µs or nil, jitter = 0..1,
-- base, cap = µs}. Without a hint the wait doubles, once per generation of calls. Returns the wait in µs.
--!late
local function budget_close(group, info, close, now)
  redis.call('HSET', k_refusals(), '?' .. group, I(now))     -- until refusals_over
  any_now(k_refusals())
  local wait = close.after
  if not wait then
    local r = redis.call('HGET', k_refusals(), group)
    local n, at = 0, 0
    if r then n, at = string.match(r, '(%d+) (%d+)') end
    n, at = tonumber(n), tonumber(at)
    if info.at >= at then n = n + 1 end
    redis.call('HSET', k_refusals(), group, I(n) .. ' ' .. I(info.at >= at and now or at))
    wait = math.max(1000, math.floor(math.min(close.cap, longest_wait(group), close.base * 2 ^ math.min(n - 1, 30))
      * (0.5 + close.jitter / 2)))
  end
  local chosen = {}
  for _, short in ipairs(close.windows or {}) do chosen[short] = true end
  for _, name in ipairs(windows_of(group) or {}) do
    if next(chosen) == nil or chosen[last_of(name)] then
      local w = window_load(name, now)
      if w then
        w.shut, w.sign = math.max(w.shut, now + wait), now
        window_save(w)
      end
    end
  end
  -- a budget without windows has no window to shut: the time stands beside its count
  if not windows_of(group) or #windows_of(group) == 0 then
    redis.call('HSET', k_refusals(), '!' .. group, I(now + wait))
  end
  return wait
end

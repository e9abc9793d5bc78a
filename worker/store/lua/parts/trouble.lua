--!include hold
-- A lane whose calls fail one after another, for reasons of the other side: a trickle goes there, ever more seldom, until
-- a call succeeds; then one at a time, two, four … until it is as fast as it was (half open). A job's attempts would
-- otherwise be spent within one outage, and all of them would come back at once.
-- trouble hash: lane -> 'n cap till since': failures in a row (before), calls in flight allowed (0: not in trouble), no
-- call before, last change (µs). An answer to a call taken before the last change says nothing new.

local PATIENCE = 10            -- failures in a row; a single job has fewer attempts
local TRICKLE = 30000000       -- the longest time between two calls of a lane in trouble

local function trouble_read(lane)
  if not any(k_trouble()) then return nil end
  local text = redis.call('HGET', k_trouble(), lane)
  if not text then return nil end
  local n, cap, till, since = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return {n = tonumber(n), cap = tonumber(cap), till = tonumber(till), since = tonumber(since)}
end

--!late
local function trouble_write(lane, t)
  any_now(k_trouble())
  redis.call('HSET', k_trouble(), lane, I(t.n) .. ' ' .. I(t.cap) .. ' ' .. I(t.till) .. ' ' .. I(t.since))
end

-- when the next call may go out: doubling, and not at the same moment in all lanes
--!late
local function trouble_wait(t, base, jitter)
  local whole = math.min(TRICKLE, base * 2 ^ math.min(t.n - PATIENCE, 30))
  return math.max(1000, math.floor(whole * (0.5 + jitter / 2)))
end

-- a call of the lane, taken at `at`, failed through the other side. facts: JSON for the alert
--!late
local function trouble_failed(lane, at, told, now)
  local t = trouble_read(lane) or {n = 0, cap = 0, till = 0, since = 0}
  if t.cap > 0 and at < t.since then return end
  t.n = t.n + 1
  if t.n >= PATIENCE then
    t.cap, t.since = 1, now
    t.till = now + trouble_wait(t, told.base, told.jitter)
    raise_alert('trouble:' .. lane, told.facts, now)
  end
  trouble_write(lane, t)
end

-- the lane is as fast as it was, or has nothing left to do
--!late
local function trouble_over(lane, now)
  redis.call('HDEL', k_trouble(), lane)
  resolve_alert('trouble:' .. lane, now)
end

-- a call of the lane, taken at `at`, was answered
local function trouble_eased(lane, group, at, now)
  local t = trouble_read(lane)
  if not t then return end
  if t.cap == 0 then
    redis.call('HDEL', k_trouble(), lane)
    return
  end
  lane_write(lane, now)
  local idle = redis.call('HEXISTS', k_flying(), lane) == 0 and redis.call('EXISTS', k_queue(lane, 0), k_queue(lane, 1),
    k_queue(lane, 2), k_due(lane, 0), k_due(lane, 1), k_due(lane, 2)) == 0
  if idle then return trouble_over(lane, now) end
  if at < t.since then return end
  t.n, t.cap, t.till, t.since = PATIENCE - 1, t.cap * 2, 0, now
  trouble_write(lane, t)
  for p = 0, 2 do touch_lane(lane, group, p, now) end
end

--!late
local function trouble_told(lane)
  local t = trouble_read(lane)
  return t ~= nil and t.cap > 0
end

--!include budget
-- Where jobs wait, and the one `touch` that every decision ends in when it can make a lane ready earlier.
-- A lane is account|operation; its group is account|budget. ready:<p> orders groups by when they are worth a look;
-- g:<group>:<p> orders lanes by when they were last served, so that service is fair between lanes and groups.

-- Two bells: a process whose last free thread is kept for urgent work listens to the urgent one alone, so that it can
-- neither miss an urgent job nor swallow the token of another.
local function ring_bell(p)
  local bell = k_bell(p == 0 and 'urgent' or 'any')
  if redis.call('LLEN', bell) < 8 then redis.call('RPUSH', bell, '1') end
end

local GATES = {}     -- account -> its gates, of which an account has a few; read once

local function gates_of(account)
  local gates = GATES[account]
  if not gates then
    gates = {}
    local flat = redis.call('HGETALL', k_gates(account))
    for i = 1, #flat, 2 do gates[flat[i]] = tonumber(flat[i + 1]) end
    GATES[account] = gates
  end
  return gates
end

-- quiet: the caller is the one who would be woken
local function touch_group(group, p, now, quiet)
  local head = redis.call('ZRANGE', k_group(group, p), 0, 0, 'WITHSCORES')
  if not head[1] then
    redis.call('ZREM', k_ready(p), group)
    return
  end
  local at = tonumber(head[2])
  local gate = gates_of(account_of(group))[group .. '|' .. p] or 0
  if gate < BLOCKED then gate = -gate end
  if gate == BLOCKED then
    redis.call('ZREM', k_ready(p), group)
    return
  end
  if gate > now then at = math.max(at, gate) end
  local old = not quiet and redis.call('ZSCORE', k_ready(p), group)
  redis.call('ZADD', k_ready(p), I(at), group)
  if not quiet and (not old or at < tonumber(old)) then ring_bell(p) end
end

local function touch_lane(lane, group, p, now, quiet)
  if not (any(k_capped()) and redis.call('SISMEMBER', k_capped(), lane) == 1) then
    if redis.call('EXISTS', k_queue(lane, p)) == 1 then
      local score = redis.call('ZSCORE', k_group(group, p), lane)
      if not score or tonumber(score) > now then redis.call('ZADD', k_group(group, p), I(now), lane) end
    else
      local due = redis.call('ZRANGE', k_due(lane, p), 0, 0, 'WITHSCORES')
      if due[1] then
        redis.call('ZADD', k_group(group, p), due[2], lane)
      else
        redis.call('ZREM', k_group(group, p), lane)
      end
    end
  end
  touch_group(group, p, now, quiet)
end

--!late
local function set_gate(group, p, at)
  local account, gate = account_of(group), group .. '|' .. p
  redis.call('HSET', k_gates(account), gate, I(at))
  gates_of(account)[gate] = at
end

-- true when there was one
local function drop_gate(group, p)
  local account, gate = account_of(group), group .. '|' .. p
  if not gates_of(account)[gate] then return false end
  redis.call('HDEL', k_gates(account), gate)
  GATES[account][gate] = nil
  return true
end

-- forget the gates of an account (all, or only those that wait for a settled call) and look again
local function open_gates(account, now, only_blocked)
  for gate, at in pairs(gates_of(account)) do
    if not only_blocked or at < 0 then
      local group, p = string.match(gate, '^(.*)|(%d)$')
      drop_gate(group, p)
      touch_group(group, p, now)
    end
  end
end

-- caps may have grown: looks again at every lane that was set aside
local function lanes_uncap(now)
  for _, lane in ipairs(redis.call('SMEMBERS', k_capped())) do
    local account, operation = string.match(lane, '^(.*)|([^|]*)$')
    local budget = redis.call('HGET', k_conf(), 'o:' .. operation)
    if budget then
      redis.call('SREM', k_capped(), lane)
      for p = 0, 2 do touch_lane(lane, account .. '|' .. budget, p, now) end
    end
  end
end

-- added to a place: behind everything that lives, now or later (2^52, still exact). Letters that are sent again together
-- stand there, so that live work goes first also where it is bulk work itself.
local BEHIND = 4503599627370496

-- whether a job that lives waits, and may be sent now, in a lane of this budget other than `but`
--!late
local function group_lives(group, p, but, now)
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', k_group(group, p), '-inf', I(now), 'LIMIT', 0, 50)) do
    local head = lane ~= but and redis.call('ZRANGE', k_queue(lane, p), 0, 0, 'WITHSCORES')
    if head and head[2] and tonumber(head[2]) < BEHIND then return true end
  end
  return false
end

local FLYING = {}     -- lane -> jobs in flight, where this script has learnt it

local function lane_flies(lane)
  if not FLYING[lane] then FLYING[lane] = tonumber(redis.call('HGET', k_flying(), lane) or 0) end
  return FLYING[lane]
end

-- `n` jobs of the lane are no longer in flight
local function lane_land(lane, group, now, n)
  FLYING[lane] = math.max(0, redis.call('HINCRBY', k_flying(), lane, -n))
  if FLYING[lane] == 0 then redis.call('HDEL', k_flying(), lane) end
  if any(k_capped()) and redis.call('SREM', k_capped(), lane) == 1 then
    for p = 0, 2 do touch_lane(lane, group, p, now) end
  end
end

local function lane_landed(lane, group, now)
  if not TOGETHER then return lane_land(lane, group, now, 1) end
  local landed = TOGETHER.landed[lane] or {group = group, n = 0}
  landed.n = landed.n + 1
  TOGETHER.landed[lane] = landed
end

-- how many are in flight matters now
--!late
local function lane_write(lane, now)
  local landed = TOGETHER and TOGETHER.landed[lane]
  if not landed then return end
  TOGETHER.landed[lane] = nil
  lane_land(lane, landed.group, now, landed.n)
end

--!include lease
--!include trouble
-- Hands out jobs of one budget: hold, permits, lanes in turn, jobs in line.

-- 'open' | 'probe', scope | 'shut' (its gate is set)
local function serve_hold(group, p, now)
  if not any(k_holds()) then return 'open' end
  local scope = 'account:' .. account_of(group)
  local hold = hold_read(scope)
  if not hold then
    scope = 'budget:' .. group
    hold = hold_read(scope)
  end
  if not hold then return 'open' end
  local at = FAR
  local other = string.sub(scope, 1, 8) == 'account:' and redis.call('HEXISTS', k_holds(), 'budget:' .. group) == 1
  if hold.probe_at and not hold.probe and not other then
    at = tonumber(hold.probe_at)
    if at <= now then return 'probe', scope, hold end
  end
  set_gate(group, p, at)
  return 'shut'
end

local function lane_cap(lane)
  local own = conf_read('cap:' .. last_of(lane)) or conf_read('lane_cap')
  if own then return tonumber(own) end
  return math.max(1, math.floor(FLEET / 2))
end

local function promote(lane, p, want, now)
  local due = redis.call('ZRANGEBYSCORE', k_due(lane, p), '-inf', I(now), 'LIMIT', 0, want)
  for _, id in ipairs(due) do
    redis.call('ZREM', k_due(lane, p), id)
    local place = redis.call('HGET', k_job(id), 'place')
    if place then redis.call('ZADD', k_queue(lane, p), place, id) end
  end
end

-- up to `want` jobs of one lane; appends cards to `out`
local function serve_lane(lane, group, p, want, windows, ctx, now, out)
  local scope = 'lane:' .. lane
  local hold = hold_read(scope)
  if hold then
    local at = not hold.probe and not ctx.probe and tonumber(hold.probe_at or FAR) or FAR
    if at == FAR then redis.call('ZREM', k_group(group, p), lane) return 0 end
    if at > now then redis.call('ZADD', k_group(group, p), I(at), lane) return 0 end
    want = 1      -- one call is let through, and ends the hold when it succeeds
  end
  local cap = lane_cap(lane)
  local trouble = trouble_read(lane)
  if trouble and trouble.cap > 0 then
    if trouble.till > now then
      for q = 0, 2 do
        if redis.call('ZSCORE', k_group(group, q), lane) then redis.call('ZADD', k_group(group, q), I(trouble.till), lane) end
      end
      return 0
    end
    if trouble.cap >= cap then trouble_over(lane, now) else cap = trouble.cap end
  end
  local room = cap - lane_flies(lane)
  if room <= 0 then
    redis.call('SADD', k_capped(), lane)
    any_now(k_capped())
    for q = 0, 2 do redis.call('ZREM', k_group(group, q), lane) end
    return 0
  end
  want = math.min(want, room)
  promote(lane, p, want, now)
  local given, made = 0, {}
  local line = redis.call('ZRANGE', k_queue(lane, p), 0, want)     -- one more than wanted shows whether any is left
  for i = 1, math.min(want, #line) do
    local id = line[i]
    local J = job_glance(id)
    if not J or J.state ~= 'waiting' or J.lane ~= lane then
      redis.call('ZREM', k_queue(lane, p), id)
    elseif tonumber(J.dl) > 0 and tonumber(J.dl) <= now then
      job_overdue(job_read(id), now)
    elseif p == 2 and tonumber(J.place or 0) >= BEHIND and group_lives(group, p, lane, now) then
      break                          -- sent again together with others: below live work in every lane
    else
      J.prio, J.group = p, group     -- a catalogue may have moved the operation to another budget
      local lease = ctx.nonce .. '.' .. I(#out + 1)
      local info = lease_make(lease, J, windows, ctx.worker, hold and scope or ctx.probe, now)
      out[#out + 1] = lease_card(lease, info, J) or {lease, id, ''}
      ctx.given[#ctx.given + 1] = lease
      given = given + 1
      made[#made + 1], made[#made + 2] = lease, info
      if hold then
        hold.probe = lease
        hold_write(scope, hold)
      end
    end
  end
  leases_write(lane, p, made, now + ctx.lease_us)
  if #line > want or redis.call('EXISTS', k_queue(lane, p)) == 1 then
    redis.call('ZADD', k_group(group, p), I(now), lane)
  else
    touch_lane(lane, group, p, now, true)
  end
  return given
end

-- lanes in the order they were last served, an equal share each, until `want` is filled or nothing moves
local function serve_lanes(group, p, want, windows, ctx, now, out)
  local given = 0
  for _ = 1, 4 do
    local lanes = redis.call('ZRANGEBYSCORE', k_group(group, p), '-inf', I(now), 'LIMIT', 0, want - given)
    if #lanes == 0 then break end
    local share = math.ceil((want - given) / #lanes)
    local moved = 0
    for _, lane in ipairs(lanes) do
      if given >= want then break end
      local n = serve_lane(lane, group, p, math.min(share, want - given), windows, ctx, now, out)
      given = given + n
      moved = moved + n
    end
    if given >= want or moved == 0 then break end
  end
  return given
end

-- up to `want` jobs of one budget at priority p
local function serve_group(group, p, want, ctx, now, out)
  local verdict, scope, hold = serve_hold(group, p, now)
  if verdict == 'shut' then
    touch_group(group, p, now, true)
    return 0
  end
  if verdict == 'probe' then want = 1 end
  local account = account_of(group)
  local windows = load_windows(group, now)
  if not windows then
    set_gate(group, p, FAR)     -- an account that settings no longer name: its jobs stay until it comes back
    touch_group(group, p, now, true)
    return 0
  end
  local room, again = budget_room(group, windows, p, now, ctx.doubt(account))
  if room <= 0 then
    set_gate(group, p, again)
    touch_group(group, p, now, true)
    return 0
  end
  -- what is free for p is free for who goes before it, whatever was foreseen when their gates were set
  for q = 0, p - 1 do
    if verdict == 'open' and drop_gate(group, q) then
      touch_group(group, q, now, true)
      local first = serve_group(group, q, want, ctx, now, out)
      if first > 0 then return first end
    end
  end
  want = math.min(want, room)
  permits_take(windows, want)
  ctx.probe = verdict == 'probe' and scope or nil
  local given = serve_lanes(group, p, want, windows, ctx, now, out)
  if given < want then
    for _, w in ipairs(windows) do
      w.inf = w.inf - (want - given)
      w.taken = w.taken - (want - given)
      window_save(w)
    end
  end
  if ctx.probe and given > 0 then
    hold.probe = ctx.given[#ctx.given]
    hold_write(scope, hold)
  end
  ctx.probe = nil
  drop_gate(group, p)
  touch_group(group, p, now, true)
  return given
end

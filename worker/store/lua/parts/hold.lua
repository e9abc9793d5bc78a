--!include permit
--!include alert
-- Accounts, lanes and budgets stopped on purpose. A scope is 'account:<account>', 'lane:<account|operation>' or
-- 'budget:<account|budget>'; its record {cause, by, since, reason, every, probe_at, probe}. While `every` > 0 one job
-- is let through when `probe_at` has come, and the hold ends when that call is not refused.

local function hold_read(scope)
  if not any(k_holds()) then return nil end
  local text = redis.call('HGET', k_holds(), scope)
  if not text then return nil end
  local ok, hold = pcall(cjson.decode, text)
  if ok then return hold end
  return {cause = 'unreadable'}
end

--!late
local function hold_write(scope, hold)
  any_now(k_holds())
  redis.call('HSET', k_holds(), scope, cjson.encode(hold))
end

--!late
local function scope_account(scope)
  local kind, rest = string.match(scope, '^(%a+):(.*)$')
  if kind == 'account' then return rest, kind, rest end
  return account_of(rest), kind, rest
end

-- Looks again at everything a scope may have kept back.
--!late
local function hold_wake(scope, now)
  local account, kind, rest = scope_account(scope)
  open_gates(account, now)
  if kind == 'lane' then
    local budget = redis.call('HGET', k_conf(), 'o:' .. last_of(rest))
    if budget then
      for p = 0, 2 do touch_lane(rest, account .. '|' .. budget, p, now) end
    end
  end
  ring_bell(0)
  ring_bell(1)
end

-- True when the hold is new (an alert is due). A call sent before the last release cannot hold again.
--!late
local function hold_set(scope, hold, sent, now)
  local old = hold_read(scope)
  if old then return false end
  if sent and sent < tonumber(redis.call('HGET', k_released(), scope) or 0) then return false end
  hold.since = I(now)
  if hold.every and hold.every > 0 then hold.probe_at = I(now + hold.every) end
  hold_write(scope, hold)
  return true
end

--!late
local function hold_release(scope, now)
  if redis.call('HDEL', k_holds(), scope) == 0 then return false end
  redis.call('HSET', k_released(), scope, I(now))
  resolve_alert('hold:' .. scope, now)
  hold_wake(scope, now)
  return true
end

-- The one call let through a hold has been answered: refused again, or the hold is over. What an older call says, let
-- through before somebody stepped in, is about a credential or a hold of before.
--!late
local function probe_answered(scope, lease, refused, now)
  local hold = hold_read(scope)
  if not hold or hold.probe ~= lease then return end
  if not refused then
    hold_release(scope, now)
    return
  end
  hold.probe = nil
  hold.probe_at = I(now + (hold.every or 0))
  hold_write(scope, hold)
  hold_wake(scope, now)
end

-- The probe came to no answer (crashed, timed out, never sent): the next job may try at once.
--!late
local function probe_void(scope, lease, now)
  local hold = hold_read(scope)
  if not hold or hold.probe ~= lease then return end
  hold.probe = nil
  hold.probe_at = I(now)
  hold_write(scope, hold)
  hold_wake(scope, now)
end

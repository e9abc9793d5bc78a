#!lua flags=allow-oom
--!include hold
-- Forgets what the other side's answers have taught about an account: lowered limits, what others use, closed windows.
-- An answer that was wrong would otherwise hold until its window is over, a day perhaps, and where nothing may be sent no
-- later answer can correct it. One call of each budget concerned goes first, alone; what it is told is in force before
-- the second. Our own use is not forgotten.
-- KEYS[1] prefix; ARGV[2] JSON {account, by, reason, every = µs until another call tries when that one was refused}
-- returns nil for an unknown account, else [window or budget, limit before, limit now, others' use before, closed until µs
-- or 0] … of what was forgotten

local now = read_clock()
local known = redis.call('HGET', k_conf(), 'b:' .. A.account)
if not known then return nil end

local forgotten, names = {}, {}
local function forget(name, before, after, foreign, shut)
  forgotten[#forgotten + 1] = {name, before, after, foreign, shut}
  names[name] = true
end

local function window_forget(w)
  if names[w.name] or (w.lim >= w.ceil and w.fgn == 0 and w.shut <= now) then return end
  forget(w.name, w.lim, w.ceil, w.fgn, w.shut > now and w.shut or 0)
  redis.call('HSET', k_window(w.name), 'lim', I(math.max(w.lim, w.ceil)), 'shut', '0', 'fgn', '0', 'fgn_till', '0')
  redis.call('HDEL', k_window(w.name), 'rv', 'rn', 'kept')
end

-- a budget without windows is closed by itself
local function budget_forget(group)
  local shut = tonumber(redis.call('HGET', k_refusals(), '!' .. group) or 0)
  redis.call('HDEL', k_refusals(), group, '!' .. group)
  if shut > now then forget(group, 0, 0, 0, shut) end
end

-- one call goes first; checks that are no jobs pass every hold
local function budget_probe(group)
  local scope = 'budget:' .. group
  if not hold_set(scope, {cause = 'relearn', by = A.by, reason = A.reason, every = A.every}, nil, now) then return end
  local hold = hold_read(scope)
  hold.probe_at = I(now)
  hold_write(scope, hold)
end

local budgets = {}
for budget in string.gmatch(string.match(known, ' (.*)$'), '[^,]+') do
  local group = A.account .. '|' .. budget
  budgets[budget] = load_windows(group, now) or {}
  for _, w in ipairs(budgets[budget]) do window_forget(w) end
  budget_forget(group)
end
for budget, windows in pairs(budgets) do
  local concerned = names[A.account .. '|' .. budget]
  for _, w in ipairs(windows) do concerned = concerned or names[w.name] end
  if concerned and budget ~= 'control' then budget_probe(A.account .. '|' .. budget) end
end
if #forgotten > 0 then
  open_gates(A.account, now)
  ring_bell(0)
  ring_bell(1)
  redis.call('LPUSH', k_audit(), cjson.encode({at_us = I(now), what = 'relearn', scope = 'account:' .. A.account,
    by = A.by, reason = A.reason, count = #forgotten}))
  redis.call('LTRIM', k_audit(), 0, 9999)
end
return forgotten

--!include hold
-- How near each account is to its long limit, and how long its jobs have waited: one reckoning, for advice and for people.

local LONG = 3600000000   -- shorter windows free by themselves before anybody could do something about them

-- up to `n` accounts of the settings in force whose names come after `after` ('' for the first), in order, with their api,
-- their windows and their lanes
local function accounts_after(after, n)
  local list = {}
  local from = after == '' and '-' or '(' .. after
  for _, name in ipairs(redis.call('ZRANGE', k_accounts(), from, '+', 'BYLEX', 'LIMIT', 0, n)) do
    local known = redis.call('HMGET', k_conf(), 'a:' .. name, 'b:' .. name)
    local account = {name = name, api = string.match(known[1] or '', '^[^|]*'), windows = {}}
    for budget in string.gmatch(string.match(known[2] or '', ' (.*)$') or '', '[^,]+') do
      local windows = budget ~= 'control' and windows_of(name .. '|' .. budget) or {}
      for _, window in ipairs(windows) do table.insert(account.windows, window) end
    end
    account.lanes = redis.call('SMEMBERS', k_lanes_of(name))
    list[#list + 1] = account
  end
  return list
end

-- the account's longest window; `long` says whether advice is of use
local function longest_window(account, now)
  local longest, name = 0, nil
  for _, window in ipairs(account.windows) do
    local len = tonumber(redis.call('HGET', k_window(window), 'len') or 0)
    if len > longest then longest, name = len, window end
  end
  if not name then return nil end
  local w = window_load(name, now)
  if w then w.long = w.len >= LONG end
  return w
end

-- since when the first job in this line has been wanted: a letter that was sent again has begun anew
local function waits_since(lane, p)
  local head = redis.call('ZRANGE', k_queue(lane, p), 0, 0)[1]
  if not head then return nil end
  local v = redis.call('HMGET', k_job(head), 'dl', 'dlrel')
  return v[1] and v[2] and tonumber(v[1]) - tonumber(v[2])
end

-- jobs that wait, and the age of the oldest in each priority (-1: none). What a person has stopped, or what was put off,
-- does not wait for the quota: it counts among those that wait, and not for its age.
local function queue_figures(account, now)
  local waiting, ages = 0, {-1, -1, -1}
  for _, member in ipairs(account.lanes) do
    local operation, budget = string.match(member, '|([^|]*)|([^|]*)$')
    local lane = account.name .. '|' .. operation
    local holds = k_holds()
    local held = redis.call('HEXISTS', holds, 'account:' .. account.name) == 1
      or redis.call('HEXISTS', holds, 'lane:' .. lane) == 1
      or redis.call('HEXISTS', holds, 'budget:' .. account.name .. '|' .. budget) == 1
    for p = 0, 2 do
      waiting = waiting + redis.call('ZCARD', k_queue(lane, p)) + redis.call('ZCARD', k_due(lane, p))
      local since = not held and waits_since(lane, p)
      if since then ages[p + 1] = math.max(ages[p + 1], now - since) end
    end
  end
  return waiting, ages
end

local function quota_figures(account, now)
  local w = longest_window(account, now)
  local q = {w = w, used = 0, limit = 0}
  if w then q.used, q.limit = w.tot + w.inf + w.fgn, w.lim end
  q.waiting, q.ages = queue_figures(account, now)
  return q
end

--!include others
--!include asked
-- The windows of a budget, taken together or not at all; and what an answer teaches about them.
-- conf: 'g:<account|budget>' -> window names joined by ','; 'a:<account>' -> 'api|headers(1/0)'

local BLOCKED = -1        -- no permit until a call in flight settles; -t: until then, or until time t (µs)
local FAR = 4000000000000000

local ACCOUNTS = {}     -- group -> its account, which is asked for again and again

local function account_of(group)
  local account = ACCOUNTS[group]
  if account == nil then
    account = string.match(group, '^(.*)|[^|]*$')
    ACCOUNTS[group] = account
  end
  return account
end

-- the last word of a name: of a lane its operation, of a budget what it is called, of a window likewise
local function last_of(name) return string.match(name, '|([^|]*)$') end

local function windows_of(group)
  local names = conf_read('g:' .. group, 'a:' .. account_of(group))
  if not names then return nil end
  local list = {}
  for name in string.gmatch(names, '[^,]+') do list[#list + 1] = name end
  return list
end

local function load_windows(group, now)
  local names = windows_of(group)
  if not names then return nil end
  local list = {}
  for i, name in ipairs(names) do
    local w = window_load(name, now)
    if not w then return nil end
    list[i] = w
  end
  return list
end

-- A window the store may have forgotten something about: room for one probe, or none until it has passed.
-- mode 'wait' | 'probe', also 'fresh', which trusts an empty store and no other cause. Returns room (or nil when the window is sure) and the time to look again.
--!late
local function unsure_room(w, now, doubt)
  -- a worker that died with what was forgotten may have sent until its lease ran out
  local sure_at = doubt.quiet + doubt.transit + w.len
  if doubt.unsure == 0 or w.sure > doubt.unsure or now >= sure_at then return nil end
  if doubt.headers and doubt.mode ~= 'wait' then
    if w.inf == 0 then return 1, now end
    return 0, window_late(w, now) or BLOCKED
  end
  return 0, sure_at
end

local function doubt_of(account, unsure, quiet, mode, transit)
  local headers = string.match(conf_read('a:' .. account) or '', '|1$') ~= nil
  return {unsure = unsure, quiet = quiet, headers = headers, mode = mode, transit = transit}
end

-- the later of two such times; a settled call may bring it forward when it may bring one of them forward
--!late
local function later_of(a, b)
  if a == BLOCKED or b == BLOCKED then return BLOCKED end
  local most = math.max(math.abs(a), math.abs(b))
  return (a < 0 or b < 0) and -most or most
end

-- for those who wait for a time and for nothing else
local function latest(again) return again < BLOCKED and -again or again end

-- how many permits priority p may take now in all windows, and otherwise when to look again (µs or BLOCKED)
local function budget_room(group, windows, p, now, doubt)
  local room, at = 1000000, 0
  if #windows == 0 and any(k_refusals()) then
    local shut = tonumber(redis.call('HGET', k_refusals(), '!' .. group) or 0)
    if shut > now then return 0, shut end
  end
  for _, w in ipairs(windows) do
    local free = w.lim - window_reserve(w, p, now) - w.tot - w.inf - w.fgn
    local again = now
    if free <= 0 then
      again = window_next(w, now, 1 - free) or BLOCKED
    else
      free, again = others_room(w, free, now)
    end
    local few, when = unsure_room(w, now, doubt)
    if few and few < free then
      free = few
      again = when
    end
    if w.shut > now then
      free = 0
      again = again == BLOCKED and w.shut or later_of(again, w.shut)
    end
    if free <= 0 then at = later_of(at, again) end
    room = math.min(room, free)
  end
  return math.max(room, 0), at
end

local function permits_take(windows, n)
  for _, w in ipairs(windows) do
    w.inf = w.inf + n
    w.taken = w.taken + n
    w.asked = w.now
    window_save(w)
  end
end

-- lim follows a told limit: down at once, up to the ceiling after three equal answers
--!late
local function learn_limit(w, told)
  local goal = math.min(told, w.ceil)
  if told >= w.lim and goal <= w.lim then
    if told == w.lim then w.rv, w.rn = 0, 0 end
    return false
  end
  if told > w.lim then
    w.rn = w.rv == told and w.rn + 1 or 1
    w.rv = told
    if w.rn < 3 then return false end
  end
  w.rv, w.rn = 0, 0
  local up = goal > w.lim
  w.lim = math.min(told, goal)
  return up
end

-- One answer's headers: limit and remaining of a window, as told to the call taken at `sent` with `occ` permits
-- occupied then and `taken` ever taken. True when room has grown.
--!late
local function learn(w, told, sent, occ, taken, now)
  local freer = false
  if told.limit then freer = learn_limit(w, told.limit) end
  if told.remaining and sent >= w.fgn_at then
    local ours = occ + (w.taken - taken)
    local least = math.max(0, ((told.limit or w.lim) - told.remaining) - ours)
    freer = others_told(w, least, sent, taken, now) or freer
  end
  return freer
end

#!lua flags=allow-oom
--!include serve
-- When the n-th permit from now can be had, if everybody ahead asks at once and nobody else comes: others go on using
-- what they were told to use, and have their margin.
-- In saturation permit n of a window comes one turn (its length and a call) after permit n - limit. So whole turns are
-- counted, and what is left of n is looked up in the buckets; the other windows spread out what is left.
-- KEYS[1] prefix; ARGV[2] JSON {group, p = priority, n, call_us = how long a call takes}
-- returns {now µs, µs when it can be had}, or an empty list for an unknown budget

local now = read_clock()
local windows = load_windows(A.group, now)
if not windows then return {} end

local doubt = doubt_of(account_of(A.group), UNSURE, QUIET, conf_number('wait', 0) == 1 and 'wait' or 'probe',
  conf_number('transit', 5000000))

local function turns_of(w, n)
  local others = w.fgn + others_margin(w, now)
  local open = math.max(1, w.lim - window_reserve(w, A.p, now) - others)
  local turns = math.floor((n - 1) / open)
  return turns, n - turns * open, open - w.tot - w.inf
end

-- while the store may have forgotten something: the first goes alone, the others after its answer; or all wait
local function sure_from(w, n)
  local few, when = unsure_room(w, now, doubt)
  if not few or few >= n then return now end
  if few > 0 or when == BLOCKED then return now + A.call_us end
  return math.abs(when)
end

-- by this window alone
local function when(w, n)
  local turns, rest, free = turns_of(w, n)
  local at = now
  -- who is in flight leaves a window's length after its answer
  if rest > free then at = math.abs(window_next(w, now, rest - free) or (now + A.call_us + w.len)) end
  return math.max(at, w.shut, sure_from(w, n)) + turns * (w.len + A.call_us)
end

local latest = now
for _, w in ipairs(windows) do
  window_save(w)
  local turns, rest = turns_of(w, A.n)
  local at = now
  for _, other in ipairs(windows) do at = math.max(at, when(other, rest)) end
  latest = math.max(latest, when(w, A.n), at + turns * (w.len + A.call_us))
end
return {now, latest}

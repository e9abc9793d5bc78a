#!lua flags=allow-oom
--!include serve
-- What a budget looks like now, with the care that jobs are handed out with. KEYS[1] prefix; ARGV[2] JSON {group, p =
-- priority asked for}
-- returns {now µs, next permit µs | 0 now | -1 when a call settles, [name, limit, ceiling, length µs, occupied,
-- in flight, foreign, shut until µs, 1 while the store may have forgotten something of it] …}, or an empty list for an
-- unknown budget

local now = read_clock()
local windows = load_windows(A.group, now)
if not windows then return {} end
local doubt = doubt_of(account_of(A.group), UNSURE, QUIET, conf_number('wait', 0) == 1 and 'wait' or 'probe',
  conf_number('transit', 5000000))
local room, again = budget_room(A.group, windows, A.p or 1, now, doubt)
local at = room > 0 and 0 or latest(again)
if now < QUIET then at = math.max(at, QUIET) end
local reply = {now, at}
for _, w in ipairs(windows) do
  window_save(w)
  reply[#reply + 1] = {w.name, w.lim, w.ceil, w.len, w.tot + w.inf, w.inf, w.fgn, w.shut,
    unsure_room(w, now, doubt) and 1 or 0}
end
return reply

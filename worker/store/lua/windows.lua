#!lua flags=allow-oom
--!include serve
-- What a budget looks like now. KEYS[1] prefix; ARGV[2] JSON {group, p = priority asked for}
-- returns {now µs, next permit µs | 0 now | -1 when a call settles, [name, limit, ceiling, length µs, occupied,
-- in flight, foreign, shut until µs] …}, or an empty list for an unknown budget

local now = read_clock()
local windows = load_windows(A.group, now)
if not windows then return {} end
local room, again = budget_room(A.group, windows, A.p or 1, now, {unsure = 0, quiet = 0, transit = 0})
local reply = {now, room > 0 and 0 or latest(again)}
for _, w in ipairs(windows) do
  window_save(w)
  reply[#reply + 1] = {w.name, w.lim, w.ceil, w.len, w.tot + w.inf, w.inf, w.fgn, w.shut}
end
return reply

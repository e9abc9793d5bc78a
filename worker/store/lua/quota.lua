#!lua flags=allow-oom
--!include quota
-- What accounts have used of their longest windows, and what waits, in order of their names, a slice at a time.
-- KEYS[1] prefix; ARGV[2] JSON {after = name before the first, '' to begin, limit}
-- returns [account, window or '', used, limit, length µs, 1 when advice about it is of use, jobs that wait, age µs of the
-- oldest urgent job or -1, normal, bulk] …; fewer than `limit` are the last

local now = read_clock()
local reply = {}
for _, account in ipairs(accounts_after(A.after, A.limit)) do
  local q = quota_figures(account, now)
  local w = q.w or {name = '', len = 0}
  reply[#reply + 1] = {account.name, w.name, q.used, q.limit, w.len, w.long and 1 or 0, q.waiting, unpack(q.ages)}
end
return reply

#!lua flags=allow-oom
--!include ack
-- A job goes back to its place, to be tried again at a time. Settles or refunds the permit; may close the budget
-- (a refusal) or hold a scope (a credential).
-- KEYS[1] prefix; ARGV[2] JSON as in parts/ack.lua and {wait = µs (0: at once), attempt = 1|0 counts an attempt,
-- class, code, hold = {scope, hold, facts}, patience = µs before it is buried with `why`, close = parts/permit.lua, after_hint = bool, notices}; ARGV[3] evidence.
-- Returns own | waiting | already | superseded | missing | overdue

need_ack()
if A.patience then need_why(A.why) end
if A.hold then
  need_type(A.hold.scope, 'string', 'hold.scope')
  need_type(A.hold.hold, 'table', 'hold.hold')
  need_type(A.hold.facts, 'string', 'hold.facts')
end
if A.close and not A.close.after and not A.close.nonsense then
  for _, name in ipairs({'jitter', 'base', 'cap'}) do need_type(A.close[name], 'number', 'close.' .. name) end
end
local now = read_clock()
local J = job_read(A.id)
local status = ack_status(J)
if status == 'missing' or status == 'already' or status == 'forgotten' then return status end
local mine, info = ack_open(J, status, now)
job_note(J, ARGV[3])
local wait = A.wait or 0
if A.close then
  if A.close.nonsense or (A.close.after and A.close.after > longest_wait(A.group)) then
    local scope = 'budget:' .. A.group
    if hold_set(scope, {cause = 'refusal', by = 'paceline', reason = A.close.reason, every = A.close.every}, info.at, now) then
      raise_alert('hold:' .. scope, A.close.facts, now)
    end
  else
    budget_close(A.group, info, A.close, now)
  end
end
if A.hold and hold_set(A.hold.scope, A.hold.hold, info.at, now) then
  raise_alert('hold:' .. A.hold.scope, A.hold.facts, now)
end
if not mine then
  for _, notice in ipairs(A.notices or {}) do raise_alert(notice.key, notice.facts, now) end
  return status
end
if A.settle.mode ~= 'refund' then job_set(J, 'runs', I((J.runs or 0) + 1)) end
if A.attempt == 1 then
  J.attempts = (J.attempts or 0) + 1
  job_set(J, 'attempts', I(J.attempts), 'crashes', '0')
  count('retried', 1)
  J.err, J.code = A.class, A.code
end
if A.class then job_set(J, 'err', A.class, 'code', A.code or '') end
if A.patience then
  -- nobody here knows the operation: another version may, for a while
  redis.call('HSETNX', k_job(A.id), 'strange', I(now))
  if now - tonumber(redis.call('HGET', k_job(A.id), 'strange')) >= A.patience then
    job_bury(J, A.why, now)
    return status
  end
end
job_wait(J, wait > 0 and now + wait or nil, now)
for _, notice in ipairs(A.notices or {}) do raise_alert(notice.key, notice.facts, now) end
return status

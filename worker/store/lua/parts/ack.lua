--!include dead
--!include accept
-- What every way of ending a lease shares: whose job it is, its permit, its probe, its successors.
-- A = {id, lease, group, settle, told, close, refused, notices = [{key, facts}], next = number of successors}

-- own: this lease holds the job. waiting: it had lapsed, nobody has taken the job since: it counts. truth: buried as
-- outcome_unknown after this very lease: settle it. already: said before. superseded: somebody else has it now.
local function ack_status(J)
  if not J then return 'missing' end
  if J.acked == A.lease then return 'already' end
  if J.state == 'running' and J.lease == A.lease then return 'own' end
  if J.last == A.lease then
    if J.state == 'waiting' then return 'waiting' end
    if J.state == 'dead' and J.err == 'outcome_unknown' then return 'truth' end
  end
  return 'superseded'
end

-- settles the permit and says whether the caller may now decide about the job
local function ack_open(J, status, now)
  local info = lease_read(A.lease)
  if info then
    lease_drop(A.lease, info, now)
    permit_settle(info, A.lease, A.settle, A.told, now)
    if info.probe then
      if A.settle.mode == 'refund' then probe_void(info.probe, now) else probe_answered(info.probe, A.refused, now) end
    end
  else
    permit_correct(A.group, A.lease, A.settle, now)
    info = {acct = account_of(A.group), group = A.group, at = now, win = {}}
  end
  if status == 'own' or status == 'waiting' or status == 'truth' then
    if status == 'waiting' then job_unwait(J, now) end
    if status == 'truth' then dead_leave(J, now) end
    redis.call('HSET', k_job(J.id), 'acked', A.lease, 'last', A.lease)
    return true, info
  end
  return false, info
end

local function ack_rest(now)
  for _, notice in ipairs(A.notices or {}) do raise_alert(notice.key, notice.facts, now) end
  for i, facts in ipairs(A.successors or {}) do job_accept(facts, ARGV[4 + i], now) end
end

--!include dead
--!include accept
--!include facts
--!include trouble
-- What every way of ending a lease shares: whose job it is, its permit, its probe, its successors.
-- A = {id, lease, taken = µs of its take, group, settle, told, close, refused, notices = [{key, facts}],
-- tally = class whose share of the account's answers is watched, next = number of successors,
-- trouble = {base = µs, jitter = 0..1, facts = JSON for the alert} when the call failed through the other side}

-- own: this lease holds the job. waiting: it had lapsed, nobody has taken the job since: it counts. truth: the job was
-- buried or expired after this very lease had lapsed: settle it. already: said before. superseded: somebody else has it
-- now, or a person has decided. forgotten: taken after anything the store knows of this job; its worker must remind the
-- store (renew) and say it again.
local function ack_status(J)
  if not J then return 'missing' end
  if J.acked == A.lease then return 'already' end
  if J.state == 'running' and J.lease == A.lease then return 'own' end
  if J.last == A.lease then
    if J.state == 'waiting' then return 'waiting' end
    if J.state == 'dead' or J.state == 'expired' then return 'truth' end
  end
  local open = J.state == 'waiting' or J.state == 'running'
  if open and A.taken and A.taken > tonumber(J.leased or 0) then return 'forgotten' end
  return 'superseded'
end

-- settles the permit and says whether the caller may now decide about the job
local function ack_open(J, status, now)
  local info = lease_read(A.lease)
  if info then
    lease_drop(A.lease, info, now)
    permit_settle(info, A.lease, A.settle, A.told, now)
    local served = A.settle.mode == 'answered' and not A.close and not A.refused
    if served and any(k_refusals()) then refusals_over(A.group, info.at, now) end
    if A.trouble then
      trouble_failed(J.lane, info.at, A.trouble, now)
    elseif served then
      trouble_eased(J.lane, J.group, info.at, now)
    end
    if info.probe then
      -- a held lane is free when a call of it succeeds, and not when one more has failed
      local failed = string.sub(info.probe, 1, 5) == 'lane:' and A.settle.mode ~= 'refund' and (A.why or A.attempt == 1)
      local refused = A.refused or failed
      -- no answer, or a limit's, says nothing about what the hold is for; a certificate that is refused does
      local void = not refused and A.settle.mode ~= 'answered' or A.close
      if void then probe_void(info.probe, A.lease, now) else probe_answered(info.probe, A.lease, refused, now) end
    end
  else
    permit_correct(A.group, A.lease, A.settle, now)
    -- when it was sent is not known any more: a refusal it brings may be one of before the last release
    info = {acct = account_of(A.group), group = A.group, at = 0, win = {}}
  end
  if status == 'own' or status == 'waiting' or status == 'truth' then
    if status == 'waiting' then job_unwait(J, now) end
    if status == 'truth' then end_undone(J, now) end
    job_set(J, 'acked', A.lease)
    if J.last then job_set(J, 'last', A.lease) end
    return true, info
  end
  return false, info
end

local function ack_rest(now)
  if A.tally then redis.call('HINCRBY', k_tally(), account_of(A.group) .. '|' .. A.tally, 1) end
  for _, notice in ipairs(A.notices or {}) do raise_alert(notice.key, notice.facts, now) end
  for i, facts in ipairs(A.successors or {}) do job_accept(facts, ARGV[4 + i], now) end
end

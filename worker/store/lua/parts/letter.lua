--!include dead
-- What people do about one letter: send it again, set it aside, take that back; and when it is better left alone.

local ROUNDS = 3                    -- sent again so often and dead each time, a letter goes in a circle

-- Why a letter should not be sent again, as a word; nil when it may. unknown: somebody knows that calls of unknown
-- outcome were not carried out; again: also those that go in a circle
local function letter_objection(J, unknown, again)
  if J.state ~= 'dead' and J.state ~= 'expired' then return J.state end
  if J.disc then return 'discarded' end
  if J.err == 'undelivered' then return 'undelivered' end     -- a report, and no call that could be sent
  if J.state == 'dead' and J['repeat'] ~= '1' and not unknown
    and (J.err == 'outcome_unknown' or (J.err == 'internal' and J.code == 'internal')) then return 'unknown' end
  if not again and tonumber(J.redrives or 0) >= ROUNDS then return 'circling' end
  return nil
end

-- Behind all that lives means bulk, for this once: what was asked for is kept, and comes back with the next order that
-- names no priority.
local function letter_urgency(J, order)
  if order.behind then redis.call('HSETNX', k_job(J.id), 'asked', J.prio) end
  local prio = order.prio and I(order.prio) or redis.call('HGET', k_job(J.id), 'asked')
  if not order.behind then redis.call('HDEL', k_job(J.id), 'asked') end
  if prio then
    J.prio = prio
    redis.call('HSET', k_job(J.id), 'prio', prio)
  end
end

-- Through its lane again, with its id, at the end of the line. order = {by, reason, prio = another priority or nil,
-- bulk = id of the operation or nil, behind = bool: behind all that lives}
local function letter_redrive(J, order, now)
  local note = {event = 'redriven', at_us = I(now), by = order.by, reason = order.reason, class = J.err, code = J.code,
    bulk = order.bulk}
  redis.call('HDEL', k_job(J.id), 'bulk')     -- what an earlier operation counted of it stays as it is
  end_undone(J, now)
  letter_urgency(J, order)
  job_note(J, cjson.encode(note))
  J.place = I(redis.call('HINCRBY', k_meta(), 'place', 1) + (order.behind and BEHIND or 0))
  J.dl = I(now + tonumber(J.dlrel))
  redis.call('HSET', k_job(J.id), 'place', J.place, 'dl', J.dl, 'attempts', '0', 'crashes', '0')
  if order.bulk then redis.call('HSET', k_job(J.id), 'bulk', order.bulk) end
  redis.call('HDEL', k_job(J.id), 'acked', 'last', 'sending')
  redis.call('HINCRBY', k_job(J.id), 'redrives', 1)
  job_wait(J, nil, now)
end

-- Set aside, or (undo) taken back. True when that changed anything.
local function letter_mark(J, undo, by, reason, now)
  if undo == (J.disc == nil or J.disc == false) then return false end
  if undo then
    redis.call('HDEL', k_job(J.id), 'disc')
    redis.call('ZREM', k_discarded(), J.id)
    redis.call('HINCRBY', k_problem(J.fp), 'open', 1)
  else
    redis.call('HSET', k_job(J.id), 'disc', '1')
    redis.call('ZADD', k_discarded(), I(now), J.id)
    problem_eased(J.fp, now)
  end
  job_note(J, cjson.encode({event = undo and 'restored' or 'discarded', at_us = I(now), by = by, reason = reason}))
  return true
end

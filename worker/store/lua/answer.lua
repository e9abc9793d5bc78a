#!lua flags=allow-oom
--!include heard
--!include recent
-- The other side says what became of a command. Only who knows the secret of its address may; saying it again changes
-- nothing. A command whose outcome was unknown is settled by it, however late.
-- KEYS[1] prefix; ARGV[2] JSON {id, door, heard = JSON text of the result, verdict = {done = bool, why as in bury}};
-- ARGV[3] evidence
-- returns 'settled' | 'early' (the call itself still runs) | 'noted' (it changes nothing) | 'already' | 'stranger'

local now = read_clock()
local J = job_read(A.id)
local door, heard = unpack(redis.call('HMGET', k_job(A.id), 'door', 'heard'))
if not J or not door or door ~= A.door then return 'stranger' end
if heard == A.heard then return 'already' end
local unknown = J.state == 'dead' and J.err == 'outcome_unknown'
if heard and not unknown then return 'noted' end
redis.call('HSET', k_job(J.id), 'heard', A.heard)
job_note(J, ARGV[3])
if J.state == 'running' then
  redis.call('HSET', k_job(J.id), 'verdict', cjson.encode(A.verdict))
  return 'early'
elseif J.state == 'awaiting' then
  redis.call('ZREM', k_awaiting(), J.id)
elseif unknown then
  dead_leave(J, now)
elseif J.state == 'waiting' and A.verdict.done then
  job_unwait(J, now)      -- it was going to be sent again, and need not be
else
  local left = redis.call('TTL', k_job(J.id))
  if left > 0 then redis.call('EXPIRE', k_evidence(J.id), left) end
  return 'noted'
end
job_settle_heard(J, A.verdict, now)
if A.verdict.done then recent_add({I(now), J.id}) end
return 'settled'

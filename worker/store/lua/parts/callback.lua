--!include accept
-- A job whose caller gave an address is followed by another one that tells its end there, born in the very step that
-- ends it, whichever that is. Every end is told: after a redrive, or by a truth that comes late, there is another one.
-- job:<id> hash: cb = JSON {op, acct, api, budget, prio, rep, dl, text}: facts of parts/accept.lua, and the message in
-- three pieces, between which stand what has ended and the id of the new job; ends = how often this job has ended

local function callback_make(J, state, now)
  if not J.cb then return end
  -- the end of a page is not the end of its list
  if A.successors and #A.successors > 0 then return end
  local n = redis.call('HINCRBY', k_job(J.id), 'ends', 1)
  local facts = cjson.decode(J.cb)
  facts.id = J.id .. '.c' .. I(n)
  facts.chain, facts.page = facts.id, 1
  local told = cjson.encode({job = J.id, chain = J.chain, operation = J.op, account = J.acct, state = state, number = n,
    at_us = I(now), created_us = J.created})
  job_accept(facts, facts.text[1] .. told .. facts.text[2] .. facts.id .. facts.text[3], now)
end

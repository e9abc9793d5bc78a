--!include clock
-- What happens to jobs, for whoever follows it (`python -m worker tail`): each piece of evidence and each end, in a stream
-- that is written only while somebody does. Otherwise it costs one field more of a hash that is read with the clock.
-- meta: followed = until when somebody does (µs), said by whoever follows (news.lua of the decisions)
-- news stream: {job, account, operation, evidence = JSON} or {…, state = how it ended}

local NEWS = '1000'

--!late
local function news_add(J, name, value)
  -- a server that has no room, or no right for us to do this, is no reason to end a job otherwise
  redis.pcall('XADD', k_news(), 'MAXLEN', '~', NEWS, '*', 'job', J.id, 'account', J.acct or '', 'operation', J.op or '',
    name, value)
end

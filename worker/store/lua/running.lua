#!lua flags=allow-oom
--!include permit
-- Which jobs are in flight, and where. KEYS[1] prefix; ARGV[2] JSON {limit}
-- returns [lease, job id or '', account|operation or '', worker, taken µs text, expiry µs text] …, soonest expiry first

local reply = {}
local leases = redis.call('ZRANGE', k_leases(), 0, A.limit - 1, 'WITHSCORES')
for i = 1, #leases, 2 do
  local info = lease_read(leases[i])
  if info then
    local lane = info.op and (info.acct .. '|' .. info.op) or ''
    reply[#reply + 1] = {leases[i], info.id or '', lane, info.worker or '', I(info.at), I(tonumber(leases[i + 1]))}
  end
end
return reply

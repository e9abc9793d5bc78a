#!lua flags=allow-oom
--!include alert
-- Claims changes of alerts for hand-over; an unconfirmed one is offered again after `again_us`. `done` are confirmed.
-- KEYS[1] prefix; ARGV[2] JSON {done = [members], limit, again_us}
-- returns [member, alert key, state, gen, count, opened µs, facts JSON] …

local now = read_clock()
for _, member in ipairs(A.done) do redis.call('ZREM', k_outbox(), member) end
local reply = {}
local due = redis.call('ZRANGEBYSCORE', k_outbox(), '-inf', I(now), 'LIMIT', 0, A.limit)
for _, member in ipairs(due) do
  redis.call('ZADD', k_outbox(), I(now + A.again_us), member)
  local key, gen, change = string.match(member, '^(.*)#(%d+)#(%a+)$')
  local v = redis.call('HMGET', k_alert(key), 'count', 'opened', 'facts')
  reply[#reply + 1] = {member, key, change, gen, v[1] or '1', v[2] or '0', v[3] or '{}'}
end
return reply

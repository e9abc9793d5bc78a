#!lua flags=allow-oom
--!include alert
-- Claims changes of alerts for hand-over; an unconfirmed one is offered again after `again_us`. `done` are confirmed.
-- KEYS[1] prefix; ARGV[2] JSON {done = [members], limit, again_us}
-- returns [member, alert key, change, gen, count, opened µs, facts JSON, evidence of the job's last attempts…] …

local ATTEMPTS = 10

local now = read_clock()
for _, member in ipairs(A.done) do redis.call('ZREM', k_outbox(), member) end
local reply = {}
local due = redis.call('ZRANGEBYSCORE', k_outbox(), '-inf', I(now), 'LIMIT', 0, A.limit)
for _, member in ipairs(due) do
  redis.call('ZADD', k_outbox(), I(now + A.again_us), member)
  local key, gen, opened, change = string.match(member, '^(.*)#(%d+)#(%d+)#(%a+)$')
  local v = redis.call('HMGET', k_alert(key), 'count', 'facts')
  local entry = {member, key, change, gen, v[1] or '1', opened, v[2] or '{}'}
  local ok, facts = pcall(cjson.decode, entry[7])
  if change == 'opened' and ok and type(facts) == 'table' and type(facts.job) == 'string' then
    local attempts = redis.call('LRANGE', k_evidence(facts.job), -ATTEMPTS, -1)
    for _, attempt in ipairs(attempts) do entry[#entry + 1] = attempt end
  end
  reply[#reply + 1] = entry
end
return reply

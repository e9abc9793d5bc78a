#!lua flags=allow-oom
--!include workers
-- A process says hello: registers itself and brings its settings. Settings apply when their digest is new; a digest a
-- living worker already carried is an older version in a rolling deploy and changes nothing, so two do not flap.
-- KEYS[1] prefix
-- ARGV[2] JSON {worker, threads (0: not a worker), host, pid, version, started (µs text), digest, silent_us,
--   accounts {account: {api, headers, budgets {budget: [window]}, windows {window: {limit, len_us, rb, rn}}}},
--   numbers {field: number}, caps {operation: jobs in flight}}
-- returns {now µs, 'applied' | 'kept'}

local now = read_clock()
if A.threads > 0 then
  redis.call('HSET', k_worker(A.worker), 'threads', I(A.threads), 'host', A.host, 'pid', I(A.pid), 'version', A.version,
    'started', A.started, 'digest', A.digest)
  worker_beat(A.worker, now, A.silent_us)
  fleet_measure()
end
local current = redis.call('HGET', k_conf(), 'digest')
local seen = tonumber(redis.call('ZSCORE', k_confs(), A.digest) or 0)
redis.call('ZADD', k_confs(), I(now), A.digest)
redis.call('ZREMRANGEBYSCORE', k_confs(), '-inf', I(now - 86400000000))
if current == A.digest or (current and seen > now - 60000000) then return {now, 'kept'} end

local function window_configure(name, c)
  local v = redis.call('HMGET', k_window(name), 'lim', 'ceil', 'len', 'tot', 'inf')
  redis.call('HSET', k_window(name), 'ceil', I(c.limit), 'len', I(c.len_us), 'rb', I(c.rb), 'rn2', I(c.rn))
  if not v[1] then
    redis.call('HSET', k_window(name), 'lim', I(c.limit), 'tot', '0', 'inf', '0', 'late', '0', 'taken', '0', 'first', '0',
      'fgn', '0', 'fgn_at', '0', 'fgn_till', '0', 'sure', '0', 'shut', '0', 'urg', '0')
    return
  end
  local lim, ceil = tonumber(v[1]), tonumber(v[2])
  if lim > c.limit or lim == ceil then redis.call('HSET', k_window(name), 'lim', I(c.limit)) end
  if tonumber(v[3]) ~= c.len_us then
    -- buckets of another width: what was settled occupies one whole new window, as if it had just arrived
    redis.call('DEL', k_ring(name))
    redis.call('HSET', k_window(name), 'tot', '0', 'first', '0')
    local w = window_load(name, now)
    local settled = tonumber(v[4])
    if settled > 0 then
      ring_write(w, math.floor(now / w.bw), struct.pack('<I4', settled))
      w.tot = settled
    end
    window_save(w)
  end
end

for account, c in pairs(A.accounts) do
  redis.call('HSET', k_conf(), 'a:' .. account, c.api .. '|' .. (c.headers and '1' or '0'))
  for name, window in pairs(c.windows) do window_configure(account .. '|' .. name, window) end
  for budget, names in pairs(c.budgets) do
    local full = {}
    for i, name in ipairs(names) do full[i] = account .. '|' .. name end
    redis.call('HSET', k_conf(), 'g:' .. account .. '|' .. budget, table.concat(full, ','))
  end
end
for field, number in pairs(A.numbers) do redis.call('HSET', k_conf(), field, I(number)) end
for operation, cap in pairs(A.caps) do redis.call('HSET', k_conf(), 'cap:' .. operation, I(cap)) end
redis.call('HSET', k_conf(), 'digest', A.digest, 'applied', I(now))
for account in pairs(A.accounts) do open_gates(account, now) end
return {now, 'applied'}

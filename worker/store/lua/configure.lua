#!lua flags=allow-oom
--!include workers
-- A process says hello: registers itself and brings its settings. Settings apply when their digest is new; a digest a
-- living worker already carried is an older version in a rolling deploy and changes nothing, so two do not flap. When
-- nobody carries the settings in force any more (the deploy was taken back), those of who is left apply again.
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
  lanes_uncap(now)
end
local current = redis.call('HGET', k_conf(), 'digest')
local seen = tonumber(redis.call('ZSCORE', k_confs(), A.digest) or 0)
redis.call('ZADD', k_confs(), I(now), A.digest)
redis.call('ZREMRANGEBYSCORE', k_confs(), '-inf', I(now - 86400000000))
local carried = current and digest_lives(current, now)
if current == A.digest or (carried and seen > now - DIGEST_LIVES) then return {now, 'kept'} end

local function window_configure(name, c)
  local w = window_load(name, now)
  redis.call('HSET', k_window(name), 'ceil', I(c.limit), 'len', I(c.len_us), 'rb', I(c.rb), 'rn2', I(c.rn))
  if not w then
    redis.call('HSET', k_window(name), 'lim', I(c.limit), 'tot', '0', 'inf', '0', 'late', '0', 'taken', '0', 'first', '0',
      'fgn', '0', 'fgn_at', '0', 'fgn_till', '0', 'sure', '0', 'shut', '0', 'urg', '0')
    return
  end
  if w.lim > c.limit or w.lim == w.ceil then redis.call('HSET', k_window(name), 'lim', I(c.limit)) end
  if w.len == c.len_us then return end
  -- buckets of another width: what is still inside occupies one whole new window, as if it had just arrived
  redis.call('HSET', k_window(name), 'fgn_till', I(w.fgn_till + c.len_us - w.len))
  w.len = c.len_us
  w.bw = math.ceil(w.len / 1440)
  w.first = math.floor((now - w.len) / w.bw)
  redis.call('DEL', k_ring(name))
  if w.tot > 0 then ring_write(w, math.floor(now / w.bw), struct.pack('>I4', w.tot)) end
  window_save(w)
end

-- what these settings no longer name is gone; windows stay, for what has been sent still counts
for _, field in ipairs(redis.call('HKEYS', k_conf())) do
  if string.match(field, '^[ag]:') or string.match(field, '^cap:') or field == 'lane_cap' then
    redis.call('HDEL', k_conf(), field)
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
lanes_uncap(now)
for account in pairs(A.accounts) do open_gates(account, now) end
return {now, 'applied'}

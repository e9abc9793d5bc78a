#!lua flags=allow-oom
--!include workers
-- A process says hello: registers itself and brings its settings. Settings apply when their digest is new; a digest a
-- living worker already carried is an older version in a rolling deploy and changes nothing, so two do not flap. When
-- nobody carries the settings in force any more (the deploy was taken back), those of who is left apply again.
-- Thousands of accounts come in slices by name, a call each, so that none keeps the store long. The first slice puts the
-- settings in force; each account changes in one step; one that is as it was costs a look. Whoever brings newer settings
-- meanwhile goes first, and all that follow of the older ones are refused. Settings that were not brought to their end
-- (`whole`) are brought again by the next process that has them.
-- conf: digest in force, whole = digest brought to its end, b:<account> = 'digest budget,budget' of the account,
-- a:<account>, g:<account|budget>, cap:<operation>, caps = operations with a cap, a line each
-- KEYS[1] prefix
-- ARGV[2] JSON {worker, threads (0: not a worker), host, pid, version, started (µs text), digest, silent_us, machine,
--   accounts {account: {digest, api, headers, budgets {budget: [window]}, windows {window: {limit, len_us, rb, rn}}}},
--   numbers {field: number}, caps {operation: jobs in flight}}
--   and of a slice: after = name before its first or absent, upto = its last name or absent
-- returns {now µs, 'applied' | 'kept' | 'more' (this slice is, bring the next) | 'again' (bring this slice once more),
--   what is known of the machine's clock or ''}

local REMOVED = 500       -- accounts that one call forgets at most

local now = read_clock()
local first = not A.after
local clock = A.machine and redis.call('HGET', k_clocks(), A.machine) or ''
if first and A.threads > 0 then
  redis.call('HSET', k_worker(A.worker), 'threads', I(A.threads), 'host', A.host, 'pid', I(A.pid), 'version', A.version,
    'started', A.started, 'digest', A.digest)
  worker_beat(A.worker, now, A.silent_us)
  fleet_measure()
  lanes_uncap(now)
end
local v = redis.call('HMGET', k_conf(), 'digest', 'whole', 'caps')
local current, whole = v[1], v[2]
local seen = tonumber(redis.call('ZSCORE', k_confs(), A.digest) or 0)
redis.call('ZADD', k_confs(), I(now), A.digest)
redis.call('ZREMRANGEBYSCORE', k_confs(), '-inf', I(now - 86400000000))
local carried = current and digest_lives(current, now)
if whole == A.digest and current == A.digest then return {now, 'kept', clock} end
if first and current ~= A.digest and (carried and seen > now - DIGEST_LIVES) then return {now, 'kept', clock} end
if not first and current ~= A.digest then return {now, 'kept', clock} end

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
local function budgets_forget(account)
  local known = redis.call('HGET', k_conf(), 'b:' .. account)
  for budget in string.gmatch(known and string.match(known, ' (.*)$') or '', '[^,]+') do
    redis.call('HDEL', k_conf(), 'g:' .. account .. '|' .. budget)
  end
end

local function account_forget(account)
  budgets_forget(account)
  redis.call('HDEL', k_conf(), 'a:' .. account, 'b:' .. account)
  redis.call('ZREM', k_accounts(), account)
end

local function account_configure(account, c)
  local known = redis.call('HGET', k_conf(), 'b:' .. account)
  if c.digest and known and string.match(known, '^%S+') == c.digest then return end
  budgets_forget(account)
  local budgets = {}
  for name, window in pairs(c.windows) do window_configure(account .. '|' .. name, window) end
  for budget, names in pairs(c.budgets) do
    local full = {}
    for i, name in ipairs(names) do full[i] = account .. '|' .. name end
    redis.call('HSET', k_conf(), 'g:' .. account .. '|' .. budget, table.concat(full, ','))
    budgets[#budgets + 1] = budget
  end
  redis.call('HSET', k_conf(), 'a:' .. account, c.api .. '|' .. (c.headers and '1' or '0'),
    'b:' .. account, (c.digest or '-') .. ' ' .. table.concat(budgets, ','))
  redis.call('ZADD', k_accounts(), '0', account)
end

if first then
  redis.call('HSET', k_conf(), 'digest', A.digest, 'applied', I(now))
  redis.call('HDEL', k_conf(), 'whole', 'lane_cap')
  for operation in string.gmatch(v[3] or '', '[^\n]+') do redis.call('HDEL', k_conf(), 'cap:' .. operation) end
  local capped = {}
  for operation, cap in pairs(A.caps) do
    redis.call('HSET', k_conf(), 'cap:' .. operation, I(cap))
    capped[#capped + 1] = operation
  end
  redis.call('HSET', k_conf(), 'caps', table.concat(capped, '\n'))
  for field, number in pairs(A.numbers) do redis.call('HSET', k_conf(), field, I(number)) end
  lanes_uncap(now)
end
for account, c in pairs(A.accounts) do account_configure(account, c) end
for account in pairs(A.accounts) do open_gates(account, now) end

local from, upto = A.after and '(' .. A.after or '-', A.upto and '[' .. A.upto or '+'
local removed = 0
for _, account in ipairs(redis.call('ZRANGE', k_accounts(), from, upto, 'BYLEX')) do
  if not A.accounts[account] then
    if removed == REMOVED then return {now, 'again', clock} end
    account_forget(account)
    removed = removed + 1
  end
end
if A.upto then return {now, 'more', clock} end
redis.call('HSET', k_conf(), 'whole', A.digest)
return {now, 'applied', clock}

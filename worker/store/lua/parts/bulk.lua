--!include letter
-- An operation on many letters at once: ordered by a person, carried out by any worker process in bounded steps, each
-- of them one decision. Which letters it covers is fixed by the time of its plan: an index of letters is in the order
-- of their deaths, so a place in it (a time and an id) says what has been dealt with, and who dies later stands behind
-- its end. A step moves the place in the very call that acts, so nothing is done twice and nothing left out, whoever
-- carries it on.
-- bulk:<id> hash: kind redrive|discard|restore, state planned|running|cancelled|done, by, reason; the filter: account,
-- operation, class, problem ('' is any), pile, until µs, limit letters ('' none); pace per second, keep 1 = as urgent
-- as before, unknown 1, again 1 (letter_objection); plan JSON, total planned; at µs and past id: the place; tat µs of
-- the pace; carrier, claim µs; done, left, left:<word>, some JSON [[id, word]]; waits why it rests, rest µs that it did;
-- end:<state>,
-- again:<fp> what became of those sent again (parts/bulk_told.lua); created, started, ended µs, started_by, ended_by,
-- ended_why, ttl s that it is kept afterwards

local LOOK = 100        -- letters read from an index at once
local SOME = 20         -- letters left alone that are kept by name

local BULK_FIELDS = {'kind', 'state', 'by', 'reason', 'account', 'operation', 'class', 'problem', 'pile', 'until', 'limit',
  'pace', 'keep', 'unknown', 'again', 'at', 'past', 'tat', 'carrier', 'claim', 'done', 'left', 'some', 'end:done',
  'end:dead', 'end:cancelled', 'end:expired', 'ttl', 'rest'}

local function bulk_read(id)
  local v = redis.call('HMGET', k_bulk(id), unpack(BULK_FIELDS))
  if not v[1] then return nil end
  local B = {id = id}
  for i, field in ipairs(BULK_FIELDS) do B[field] = v[i] or '' end
  for _, field in ipairs({'until', 'limit', 'pace', 'at', 'tat', 'claim', 'done', 'left', 'ttl', 'rest'}) do
    B[field] = tonumber(B[field]) or 0
  end
  B.ended = 0
  for _, state in ipairs({'done', 'dead', 'cancelled', 'expired'}) do
    B.ended = B.ended + (tonumber(B['end:' .. state]) or 0)
  end
  return B
end

-- what a person did, for the audit
local function audit_add(entry, now)
  entry.at_us = I(now)
  redis.call('LPUSH', k_audit(), cjson.encode(entry))
  redis.call('LTRIM', k_audit(), 0, 9999)
end

-- the filter as people said it
local function filter_words(F)
  local words = {}
  for _, name in ipairs({'account', 'operation', 'class', 'problem'}) do
    if F[name] and F[name] ~= '' then words[name] = F[name] end
  end
  if F.pile ~= 'dead' or next(words) == nil then words.pile = F.pile end
  return words
end

-- the shortest index that holds every letter of the filter; all of them are in the same order
local function filter_index(F)
  if F.pile == 'expired' and F.account and F.account ~= '' then return k_expired_by('account', F.account) end
  if F.pile ~= 'dead' then return F.pile == 'expired' and k_expired() or k_discarded() end
  local key, least = k_dead(), redis.call('ZCARD', k_dead())
  for _, name in ipairs({'account', 'operation', 'class', 'problem'}) do
    if F[name] and F[name] ~= '' then
      local other = k_dead_by(name, F[name])
      local n = redis.call('ZCARD', other)
      if n < least then key, least = other, n end
    end
  end
  return key
end

local function filter_fits(F, J)
  local function is(wanted, has) return not wanted or wanted == '' or wanted == has end
  return F.pile == (J.disc and 'discarded' or J.state) and is(F.account, J.acct) and is(F.operation, J.op)
    and is(F['class'], J.err) and is(F.problem, J.fp)
end

-- whether id `a` stands after `b` among letters of one moment: bytes, as the server orders them, in any locale
local function stands_after(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- as much of a letter as tells whether it is meant and may be sent: all of it costs twice as much
local GLANCE = {'state', 'op', 'acct', 'budget', 'repeat', 'err', 'code', 'fp', 'disc', 'redrives'}

local function letter_glance(id)
  local v = redis.call('HMGET', k_job(id), unpack(GLANCE))
  if not (v[1] and v[2] and v[3] and v[4]) then return nil end
  local J = {id = id}
  for i, field in ipairs(GLANCE) do J[field] = v[i] end
  J.lane = J.acct .. '|' .. J.op
  return J
end

-- Letters of a filter behind the place (at, past), oldest first, at most `most` records looked at, as `read` reads them.
-- `visit` says false to stop before a letter, and 'later' to go on while the place stays before it; what comes after
-- that is visited with `ahead`. Returns the place reached, and whether that is the end.
local function letters_walk(F, at, past, most, read, visit)
  local key, looked, offset, ahead = filter_index(F), 0, 0, false
  local from, last = at, past
  while looked < most do
    local rows = redis.call('ZRANGEBYSCORE', key, I(from), I(F['until']), 'WITHSCORES', 'LIMIT', offset, LOOK)
    if #rows == 0 then return at, past, not ahead end
    local came = false
    for i = 1, #rows, 2 do
      local id, score = rows[i], tonumber(rows[i + 1])
      if score > from or stands_after(id, last) then
        if looked >= most then return at, past, false end
        local J, said = read(id), nil
        if J and filter_fits(F, J) then said = visit(J, ahead) end
        if said == false then return at, past, false end
        if said == 'later' then ahead = true end
        from, last, came, looked = score, id, true, looked + 1
        if not ahead then at, past = score, id end
      end
    end
    offset = came and 0 or offset + LOOK     -- what was dealt with at this very moment may be more than a portion
  end
  return at, past, false
end

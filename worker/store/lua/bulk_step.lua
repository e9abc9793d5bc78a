#!lua
--!include bulk
--!include serve
-- One step of an operation on many letters, by a worker process that carries one or could: claims it, does to the next
-- letters what was ordered, as many as its pace allows now, moves its place past them. Not allow-oom: a full store
-- sends nothing again.
-- A letter sent again is let into the line only while nothing that lives waits in its budget, while half of what its
-- lane may have in flight stays free for what lives, and while few are under way: so it does not grow old in the line, and
-- what a cancel stops has not been done yet.
-- KEYS[1] prefix; ARGV[2] JSON {worker}; returns {now µs, µs when to ask again or -1 when there is nothing to carry out}

local CLAIM = 3000000       -- µs without a step after which another process goes on
local SOON, REST = 10000, 1000000   -- µs until a step that found no room looks again: ever later, up to a second
local STEP, SEEN = 100, 500 -- letters done, looked at in one step
local FEW = 20              -- letters that may always be under way
local LATER = 50            -- letters of lanes that take no more now which a step passes over for those of others

local now = read_clock()

local function lives(group)
  return group_lives(group, 0, nil, now) or group_lives(group, 1, nil, now) or group_lives(group, 2, nil, now)
end

-- how many letters may join the line of a lane now
local function room_of(lane)
  local behind = redis.call('ZCOUNT', k_queue(lane, 2), I(BEHIND), '+inf')
  return math.max(1, math.floor(lane_cap(lane) / 2)) - behind - lane_flies(lane)
end

local function do_letter(B, J)
  if B.kind == 'redrive' then
    local below = B.keep == ''
    letter_redrive(J, {by = B.by, reason = B.reason, bulk = B.id, prio = below and 2 or nil, behind = below}, now)
  else
    letter_mark(J, B.kind == 'restore', B.by, B.reason, now)
  end
end

local function leave(B, J, why, some)
  B.left = B.left + 1
  redis.call('HINCRBY', k_bulk(B.id), 'left:' .. why, 1)
  if #some < SOME then some[#some + 1] = {J.id, why} end
end

-- when the step after this one is worth while
local function step(B)
  local portion = math.max(1, math.min(STEP, math.ceil(B.pace / 20)))
  local tat = math.max(B.tat, now - math.floor(2 * portion / B.pace * 1000000))   -- time that was not used is not made up for
  local may = math.min(STEP, math.floor((now - tat) * B.pace / 1000000))
  local waits, did, living, rooms = '', 0, {}, {}
  local some = B.some ~= '' and cjson.decode(B.some) or {}
  local room = B.kind == 'redrive' and math.max(FEW, math.ceil(2 * B.pace)) - (B.done - B.ended) or STEP
  local kept = 0
  local function later(why)
    kept, waits = kept + 1, waits == '' and why or waits
    return kept <= LATER and 'later'
  end
  local function visit(J, ahead)
    if B.limit > 0 and B.done + B.left >= B.limit then return false end
    local why = B.kind == 'redrive' and letter_objection(J, B.unknown == '1', B.again == '1')
    if why and ahead then return nil end      -- it is counted when its turn comes
    if why then return leave(B, J, why, some) end
    if did >= may then return false end
    if did >= room then
      waits = 'open'
      return false
    end
    if B.kind == 'redrive' and B.keep == '' then
      if living[J.group] == nil then living[J.group] = lives(J.group) end
      if living[J.group] then return later('live|' .. J.group) end
      rooms[J.lane] = (rooms[J.lane] or room_of(J.lane)) - 1
      if rooms[J.lane] < 0 then return later('full|' .. J.lane) end
    end
    do_letter(B, J)
    did, B.done = did + 1, B.done + 1
  end
  local at, past, over = letters_walk(B, B.at, B.past, SEEN, job_read, visit)
  over = over or (B.limit > 0 and B.done + B.left >= B.limit)
  tat = tat + math.floor(did / B.pace * 1000000)
  local due = tat + math.ceil(portion / B.pace * 1000000)
  local rest = did > 0 and SOON or math.min(REST, 2 * math.max(SOON, B.rest))
  if waits ~= '' then due = math.max(due, now + rest) elseif not over and did < may then due = now end
  redis.call('HSET', k_bulk(B.id), 'at', I(at), 'past', past, 'tat', I(tat), 'done', I(B.done), 'left', I(B.left), 'some',
    cjson.encode(some), 'waits', waits, 'rest', I(rest), 'carrier', A.worker, 'claim', I(math.max(now, due) + CLAIM))
  if not over then
    redis.call('ZADD', k_bulk_open(), I(due), B.id)
    return due
  end
  redis.call('HSET', k_bulk(B.id), 'state', 'done', 'ended', I(now))
  redis.call('ZREM', k_bulk_open(), B.id)
  redis.call('EXPIRE', k_bulk(B.id), I(B.ttl))
  return nil
end

local soonest, stepped = -1, false
local function sooner(at)
  if at and (soonest < 0 or at < soonest) then soonest = at end
end
local open = redis.call('ZRANGE', k_bulk_open(), 0, 19, 'WITHSCORES')
for i = 1, #open, 2 do
  local B, due = bulk_read(open[i]), tonumber(open[i + 1])
  if not B or B.state ~= 'running' then
    redis.call('ZREM', k_bulk_open(), open[i])
  elseif B.claim > now and B.carrier ~= A.worker then
    sooner(B.claim)
  elseif due > now or stepped then
    sooner(math.max(due, now))
  else
    stepped = true
    sooner(step(B))
  end
end
if soonest < 0 and redis.call('EXISTS', k_bulk_open()) == 1 then soonest = now end
return {now, soonest}

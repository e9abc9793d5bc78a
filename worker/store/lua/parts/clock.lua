-- Logical time in integer microseconds: the server's TIME, which never steps back and never repeats.
-- After a step back it goes on from where it was (`ahead` grows by the step); waiting for the wall clock to catch up
-- would keep every permit occupied for the length of the step.
-- ARGV[1]: '' or a test's clock (µs).

local SPELT = {}     -- a moment is written in many places, and spelling a number is the dearest part of it

local function I(n)
  local spelt = SPELT[n]
  if not spelt then
    spelt = string.format('%.0f', n)
    SPELT[n] = spelt
  end
  return spelt
end

local function raw_clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- What else stands beside the clock, read with it: since when the store may have forgotten something, and until when it
-- hands nothing out (µs); whether somebody follows what happens (news.lua); the run of the server last seen, when it was
-- last asked for jobs, why it is in doubt, the last urgent demand, the threads of all workers, and whether that run can
-- have lost anything when it ends ('1': it cannot).
local META = {'now', 'ahead', 'unsure', 'quiet', 'followed', 'run', 'seen', 'suspect', 'urg', 'fleet', 'durable'}
local UNSURE, QUIET, FOLLOWED, RUN, SEEN, SUSPECT, URGENT, FLEET, DURABLE = 0, 0, false, nil, nil, nil, 0, 0, nil
local NOW = nil     -- one script is one moment, however many decisions it makes

local function peek_clock()
  local m = redis.call('HMGET', k_meta(), unpack(META))
  UNSURE, QUIET = tonumber(m[3] or 0), tonumber(m[4] or 0)
  RUN, SEEN, SUSPECT, URGENT, FLEET = m[6], m[7], m[8], tonumber(m[9] or 0), tonumber(m[10] or 2)
  DURABLE = m[11]
  local last = tonumber(m[1] or 0)
  local ahead = tonumber(m[2] or 0)
  local raw = raw_clock()
  local now = raw + ahead
  if now <= last then
    if last - now > 1000 then ahead = last + 1 - raw end
    now = last + 1
  end
  FOLLOWED = tonumber(m[5] or 0) > now
  return now, ahead
end

local function read_clock()
  if NOW then return NOW end
  local now, ahead = peek_clock()
  redis.call('HSET', k_meta(), 'now', I(now), 'ahead', I(ahead))
  NOW = now
  return now
end

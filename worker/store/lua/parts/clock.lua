-- Logical time in integer microseconds: the server's TIME, which never steps back and never repeats.
-- After a step back it goes on from where it was (`ahead` grows by the step); waiting for the wall clock to catch up
-- would keep every permit occupied for the length of the step.
-- ARGV[1]: '' or a test's clock (µs).

local function I(n) return string.format('%.0f', n) end

local function raw_clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- since when the store may have forgotten something, and until when it hands nothing out (µs); read with the clock
local UNSURE, QUIET = 0, 0

local function peek_clock()
  local m = redis.call('HMGET', k_meta(), 'now', 'ahead', 'unsure', 'quiet')
  UNSURE, QUIET = tonumber(m[3] or 0), tonumber(m[4] or 0)
  local last = tonumber(m[1] or 0)
  local ahead = tonumber(m[2] or 0)
  local raw = raw_clock()
  local now = raw + ahead
  if now <= last then
    if last - now > 1000 then ahead = last + 1 - raw end
    now = last + 1
  end
  return now, ahead
end

local function read_clock()
  local now, ahead = peek_clock()
  redis.call('HSET', k_meta(), 'now', I(now), 'ahead', I(ahead))
  return now
end

#!lua flags=allow-oom
--!include clock
--!include facts
-- Somebody follows what happens, for `span` from now; what was written goes by itself when nobody has for twice as long.
-- KEYS[1] prefix; ARGV[2] JSON {span = µs}. Returns the last id of the stream, and how many entries were ever added

need_type(A.span, 'number', 'span')
local now = read_clock()
local until_us = math.max(now + A.span, tonumber(redis.call('HGET', k_meta(), 'followed') or 0))
redis.call('HSET', k_meta(), 'followed', I(until_us))
-- an entry of its own makes the stream, so that it never is without an end
if redis.call('EXISTS', k_news()) == 0 then redis.call('XADD', k_news(), '*', 'followed', I(now)) end
redis.call('PEXPIRE', k_news(), I(math.ceil(2 * A.span / 1000)))
local info = redis.call('XINFO', 'STREAM', k_news())
local found = {}
for i = 1, #info, 2 do found[info[i]] = info[i + 1] end
return {found['last-generated-id'], found['entries-added']}

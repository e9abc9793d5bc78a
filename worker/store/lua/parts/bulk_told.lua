-- What became of a letter that was sent again together with others is counted where that was ordered.
-- job hash: bulk = id of the operation (parts/bulk.lua) that sent it last

-- by: 1 when the job ends so, -1 when that end was none after all
local function bulk_told(J, state, by)
  if not J.redrives then return end     -- nearly every job, and it costs nothing
  local id = redis.call('HGET', k_job(J.id), 'bulk')
  if not id or redis.call('EXISTS', k_bulk(id)) == 0 then return end
  redis.call('HINCRBY', k_bulk(id), 'end:' .. state, by)
  if state == 'dead' and J.fp then redis.call('HINCRBY', k_bulk(id), 'again:' .. J.fp, by) end
end

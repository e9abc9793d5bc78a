#!lua flags=allow-oom
--!include bulk
--!include facts
-- Counts letters of a filter, a portion at a time; nothing is changed. The counting sees each letter as a run would.
-- KEYS[1] prefix; ARGV[2] JSON {kind, filter = {account, operation, class, problem, pile, until µs}, at µs, past id,
-- most records to look at, want = letters that are enough or nil, unknown, again, apart = id of an operation whose letters do not count}
-- returns JSON {at text µs, past, over = nothing is left to look at, or enough were found, n, problems = {fingerprint: n},
-- lanes = {account|operation|budget: n}, against = {word: n}, first = [ids]}

need_type(A.filter, 'table', 'filter')
need_type(A.filter['until'], 'number', 'filter.until')
local problems, lanes, against, first, n = {}, {}, {}, {}, 0
local at, past, over = letters_walk(A.filter, A.at, A.past, A.most, letter_glance, function(J)
  if A.apart and redis.call('HGET', k_job(J.id), 'bulk') == A.apart then return end
  if A.want and n >= A.want then return false end
  n = n + 1
  local lane = J.lane .. '|' .. J.budget
  problems[J.fp or ''] = (problems[J.fp or ''] or 0) + 1
  lanes[lane] = (lanes[lane] or 0) + 1
  local why = A.kind == 'redrive' and letter_objection(J, A.unknown, A.again)
  if why then against[why] = (against[why] or 0) + 1 end
  if #first < 5 then first[#first + 1] = J.id end
end)
return cjson.encode({at = I(at), past = past, over = over or n == A.want, n = n, problems = problems, lanes = lanes, against = against,
  first = first})

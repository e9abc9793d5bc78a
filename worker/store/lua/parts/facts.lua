-- What a decision is told is looked at before anything is written: a script that fails half-way is not rolled back.

local function need(right, what)
  if not right then error('bad facts: ' .. what) end
end

local function need_type(value, wanted, what)
  if type(value) ~= wanted then need(false, what .. ' must be a ' .. wanted) end
end

local function need_settle(settle)
  need_type(settle, 'table', 'settle')
  if settle.mode == 'answered' then
    need(settle.age == nil or type(settle.age) == 'number', 'settle.age must be a number')
  elseif settle.mode == 'unanswered' then
    need_type(settle.more, 'number', 'settle.more')
  else
    need(settle.mode == 'refund', 'settle.mode must be answered, unanswered or refund')
  end
end

--!late
local function need_told(told)
  for _, said in pairs(told) do
    need_type(said, 'table', 'told')
    for _, number in pairs(said) do need_type(number, 'number', 'what is told') end
  end
end

--!late
local function need_why(why)
  need_type(why, 'table', 'why')
  need_type(why.class, 'string', 'why.class')
end

--!late
local function need_callback(text)
  need_type(text, 'string', 'callback')
  local ok, callback = pcall(cjson.decode, text)
  need(ok and type(callback) == 'table' and type(callback.text) == 'table', 'callback must be JSON with a text')
  for _, name in ipairs({'op', 'acct', 'api', 'budget'}) do need_type(callback[name], 'string', 'callback.' .. name) end
  for _, name in ipairs({'prio', 'rep', 'dl'}) do need_type(callback[name], 'number', 'callback.' .. name) end
  for i = 1, 3 do need_type(callback.text[i], 'string', 'a piece of callback.text') end
end

--!late
local function need_job(facts, message)
  for _, name in ipairs({'id', 'op', 'acct', 'api', 'budget', 'chain'}) do need_type(facts[name], 'string', name) end
  for _, name in ipairs({'prio', 'rep', 'dl', 'page'}) do need_type(facts[name], 'number', name) end
  if facts.key then need_type(facts.psha, 'string', 'psha') end
  need_type(message, 'string', 'message')
  if facts.callback then need_callback(facts.callback) end
end

--!late
local function need_notices(notices)
  for _, notice in ipairs(notices) do
    need_type(notice.key, 'string', 'notice.key')
    need_type(notice.facts, 'string', 'notice.facts')
  end
end

-- what finish, park and bury share
local function need_ack()
  need_type(A.id, 'string', 'id')
  need_type(A.lease, 'string', 'lease')
  need_type(A.group, 'string', 'group')
  need(string.find(A.group, '|', 1, true), 'group must be account|budget')
  need_settle(A.settle)
  if A.told then need_told(A.told) end
  if A.trouble then
    need_type(A.trouble, 'table', 'trouble')
    for _, name in ipairs({'base', 'jitter'}) do need_type(A.trouble[name], 'number', 'trouble.' .. name) end
    need_type(A.trouble.facts, 'string', 'trouble.facts')
  end
  if A.tally then need_type(A.tally, 'string', 'tally') end
  if A.notices then need_notices(A.notices) end
  if A.successors then
    for i, facts in ipairs(A.successors) do need_job(facts, ARGV[4 + i]) end
  end
end

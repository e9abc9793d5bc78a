-- One script is one moment: what it asks of settings, and whether there is any of what nearly never is, it asks once.
-- Whoever makes the first of such a kind says so (`any_now`).

local ANY, CONF = {}, {}
local OFTEN = {'digest', 'result_ttl', 'lane_cap'}     -- asked for together, whoever asks for one of them first

local function any(key)
  if ANY[key] == nil then ANY[key] = redis.call('EXISTS', key) == 1 end
  return ANY[key]
end

local function any_now(key) ANY[key] = true end

local function conf_ask(fields)
  for i, value in ipairs(redis.call('HMGET', k_conf(), unpack(fields))) do CONF[fields[i]] = value end
end

-- a field of the settings, false where they say nothing; `...`: others that will be asked for as well
local function conf_read(field, ...)
  if CONF[field] == nil and #OFTEN > 0 then
    conf_ask(OFTEN)
    OFTEN = {}
  end
  if CONF[field] == nil then conf_ask({field, ...}) end
  return CONF[field]
end

local function conf_number(field, default) return tonumber(conf_read(field) or default) end

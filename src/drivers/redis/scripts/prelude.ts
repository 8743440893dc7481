/**
 * What the scripts over the hash of a run have in common; it stands before each of them. The functions are those of
 * `LedgerState` and carry their names. KEYS[1] is the hash.
 *
 * Fields are read once and written together by `store()` at the end, so that a script which fails has changed nothing.
 * Times and tokens have 16 digits: `number` prints them in full, Lua's own conversion would round them.
 */
export const PRELUDE = String.raw`
local SEP, PASS_SEP, NOBODY = '\31', '\30', '?'
local hash = KEYS[1]
local fields, dirty = {}, {}

local function number(n)
  return string.format('%.0f', n)
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function load(...)
  local names = {...}
  for i, value in ipairs(redis.call('HMGET', hash, ...)) do fields[names[i]] = value end
end

local function get(name)
  local value = fields[name]
  if value == nil then
    value = redis.call('HGET', hash, name)
    fields[name] = value
  end
  return value
end

local function set(name, value)
  if get(name) == value then return end
  fields[name] = value
  dirty[name] = true
end

local function add(name, by)
  set(name, number(tonumber(get(name) or '0') + by))
end

local function store()
  local list = {}
  for name in pairs(dirty) do
    list[#list + 1] = name
    list[#list + 1] = fields[name]
  end
  for i = 1, #list, 1000 do redis.call('HSET', hash, unpack(list, i, math.min(i + 999, #list))) end
end

local function field(...)
  return table.concat({...}, SEP)
end

local function turn(node, name)
  local text = get(field('s', node, name))
  if not text then return nil end
  local state, passes, token, worker, expires, claims, round, unsent, made = string.match(
    text,
    '^([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)(.*)$'
  )
  return {
    state = state, passes = passes, token = tonumber(token), worker = worker,
    expires = tonumber(expires), claims = tonumber(claims), round = tonumber(round),
    unsent = unsent == '1', made = made ~= '' and string.sub(made, 2) or nil,
  }
end

local function putTurn(node, name, t)
  local text = field(
    t.state, t.passes, number(t.token), t.worker, number(t.expires), number(t.claims), number(t.round),
    t.unsent and '1' or ''
  )
  if t.made then text = field(text, t.made) end
  set(field('s', node, name), text)
end

-- the prefix that the id of a batch's worker has
local function prefixOf(node)
  return string.match(node, '^(.+)_%d+$')
end

-- as one text: creator, its turn, gather or '', and for a worker the prefix of its batch
local function originOf(node, name)
  local own = get(field('v', node, name))
  if own then return own end
  local prefix = prefixOf(node)
  local batch = prefix and get(field('z', prefix))
  if not batch then return false end
  local creator, creatorTurn, gather = string.match(batch, '^([^\31]*)\31([^\31]*)\31([^\31]*)')
  return field(creator, creatorTurn, gather, prefix)
end

local function nextToken(at, floor)
  local token = math.max(at, floor + 1, tonumber(get('t') or '0') + 1)
  set('t', number(token))
  return token
end
`;

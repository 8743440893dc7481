/**
 * What one settle moves forward: class `Advance` of `core/advance.ts`, to stand between the prelude and a script
 * that has set `settlement`, `worker`, `at`, `leaseMs`, `claimsLeft` and `maxTurns`. Passes that were resolved are a
 * list; passes of a turn, and of what fired, are one text.
 */
export const ADVANCE = String.raw`
local fired, round, isFirst, isUnsent = {}, 0, false, false
local PAUSE_ROUNDS = 1000000

local function resolve(refs)
  local passes = {}
  for i, ref in ipairs(refs) do
    local pass = ref[2]
    if pass == nil or pass == cjson.null then pass = get(field('g', ref[1])) or '0' end
    passes[i] = pass
  end
  return passes
end

local function turnOfPasses(passes)
  return #passes == 0 and '1' or table.concat(passes, '/')
end

local function turnOfEntry(outer, entry)
  if entry and not entry.plain then return entry.arrival .. '#1' end
  return #outer == 0 and '1' or table.concat(outer, '/') .. '.1'
end

-- only added nodes have an origin
local function name(node, turnName, passes, token, isAdded)
  fired[#fired + 1] = node
  fired[#fired + 1] = turnName
  fired[#fired + 1] = passes
  fired[#fired + 1] = token
  fired[#fired + 1] = isAdded and originOf(node, turnName) or false
end

local function start(node, turnName, passes, round, isAdded)
  local isClaimed = claimsLeft > 0
  local unsent = isClaimed or isUnsent
  if unsent then add('j', 1) end
  if not isClaimed then
    putTurn(node, turnName, {
      state = 'R', passes = passes, token = 0, worker = '', expires = 0, claims = 0, round = round, unsent = unsent,
    })
    name(node, turnName, passes, false, isAdded)
    return
  end
  claimsLeft = claimsLeft - 1
  local token = nextToken(at, 0)
  putTurn(node, turnName, {
    state = 'C', passes = passes, token = token, worker = worker, expires = at + leaseMs * 1000, claims = 1,
    round = round, unsent = unsent,
  })
  name(node, turnName, passes, number(token), isAdded)
end

local function releaseQueued()
  local node = settlement.node
  local following = get(field('h', node, settlement.turn))
  if not following then return end
  local queued = turn(node, following)
  if not queued or queued.state == 'D' or queued.state == 'W' then return end
  if queued.state == 'Q' then
    if settlement.opensPasses then set(field('g', node), following) end
    start(node, following, queued.passes, queued.round)
  else
    name(node, following, queued.passes, false)
  end
end

-- calls with each join and the first of these passes that it shares with whoever leads to it
local function eachLead(leads, passes, call)
  if not leads or #leads == 0 then return end
  local prefixes = {[0] = ''}
  for pass in string.gmatch(passes, '[^\30]+') do
    prefixes[#prefixes + 1] = #prefixes == 0 and pass or prefixes[#prefixes] .. PASS_SEP .. pass
  end
  for _, lead in ipairs(leads) do call(lead.join, prefixes[math.min(lead.depth, #prefixes)]) end
end

local function fire(target, turnName, passes, round)
  local node = target.node
  local before = turn(node, turnName)
  if before then
    if before.state == 'R' or before.state == 'C' then
      name(node, turnName, before.passes, false, target.isAdded)
    end
    return
  end
  if not target.isFree and tonumber(get('q') or '0') >= maxTurns then
    if not get('p') then set('p', node) end
    return
  end
  add('o', 1)
  if not target.isFree then add('q', 1) end
  eachLead(target.leads, passes, function(join, prefix) add(field('u', join, prefix), 1) end)
  if target.when == 'each' then
    local last = get(field('l', node))
    set(field('l', node), turnName)
    local before = last and turn(node, last)
    if before and (before.state == 'R' or before.state == 'C' or before.state == 'Q') then
      set(field('h', node, last), turnName)
      putTurn(node, turnName, {
        state = 'Q', passes = passes, token = 0, worker = '', expires = 0, claims = 0, round = round,
      })
      return
    end
  end
  if target.opensPass then set(field('g', node), turnName) end
  start(node, turnName, passes, round, target.isAdded)
end

local function addDynamic(id, passes)
  local gather = settlement.gather
  local node, turnName = settlement.node, settlement.turn
  local origin = field('v', id, turnName)
  if not get(origin) then
    set(origin, field(node, turnName, gather or ''))
    if gather then add(field('m', gather), 1) end
  end
  local isFree = not settlement.workerOf and not originOf(node, turnName)
  local target = {node = id, when = 'joined', leads = settlement.dynamicLeads, isFree = isFree, isAdded = true}
  fire(target, turnName, passes, round + 1)
end

-- BatchItems
local function readBatch(prefix)
  local head, parts = get(field('z', prefix)), {}
  if not head then return nil end
  for part in string.gmatch(head .. SEP, '([^\31]*)\31') do parts[#parts + 1] = part end
  return {
    prefix = prefix, turn = parts[2], items = tonumber(parts[4]), chunk = tonumber(parts[5]),
    window = tonumber(parts[6]), round = tonumber(parts[7]), lenient = parts[8] == '1',
  }
end

local function fireItems(batch, from, to, passes, leads)
  for i = from, to - 1 do
    fire(
      {node = batch.prefix .. '_' .. number(i), when = 'joined', leads = leads, isFree = true, isAdded = true},
      batch.turn, passes, batch.round + 1
    )
  end
end

local function beginBatch(passes)
  local start = settlement.batch
  if not start then return end
  local head, gather = field('z', start.prefix), settlement.gather or ''
  if not get(head) then
    set(head, field(
      settlement.node, settlement.turn, gather, number(start.items), number(start.chunk), number(start.window),
      number(round), start.lenient and '1' or '0'
    ))
    set(field('f', start.prefix), number(math.min(start.items, start.chunk, start.window)))
    if gather ~= '' then add(field('m', gather), start.items) end
  end
  local batch = readBatch(start.prefix)
  fireItems(batch, 0, math.min(batch.items, batch.chunk, batch.window), passes, settlement.dynamicLeads)
end

-- how many items may become ready in the place of one that has ended
local function countEnd(batch)
  if settlement.outcome ~= 'completed' and not batch.lenient then return 1 end
  local name = field('c', batch.prefix)
  add(name, 1)
  local completed = tonumber(get(name))
  return completed % batch.chunk == 0 and completed < batch.items and batch.window or 1
end

local function takeItems(batch, count)
  local name = field('f', batch.prefix)
  local from, completed = tonumber(get(name) or '0'), tonumber(get(field('c', batch.prefix)) or '0')
  local limit = math.min(batch.items, batch.chunk * (math.floor(completed / batch.chunk) + 1))
  local to = math.min(from + count, limit)
  if to <= from then return '' end
  set(name, number(to))
  return number(from) .. '-' .. number(to)
end

local function endItem(found, first)
  if not settlement.workerOf then return end
  local batch = readBatch(settlement.workerOf)
  if not batch then return end
  if first then
    local count = settlement.outcome == 'awaiting' and 1 or countEnd(batch)
    local range = takeItems(batch, (not found.made or count > 1) and count or 0)
    local before = found.made or ''
    found.made = before .. (before ~= '' and range ~= '' and ',' or '') .. range
    putTurn(settlement.node, settlement.turn, found)
  end
  for from, to in string.gmatch(found.made or '', '(%d+)%-(%d+)') do
    fireItems(batch, tonumber(from), tonumber(to), found.passes, settlement.leads)
  end
end

local function wasReady(node, turnName, passes)
  local last = get(field('l', node))
  if not last or turn(node, turnName) then return false end
  local before = turn(node, last)
  return before ~= nil and before.passes == passes
end

local function roundOf(arrival)
  return tonumber(get(field('b', arrival.from, table.concat(resolve(arrival.passes), PASS_SEP))) or '0')
end

local function raise(mark, at)
  local highest = at or round
  local before = get(mark)
  if not before or tonumber(before) < highest then set(mark, number(highest)) end
end

local function awaited(target)
  return tonumber(get(field('m', target.node)) or '0')
end

local function isRescued(arrival)
  return get(field('b', arrival.from, table.concat(resolve(arrival.passes), PASS_SEP)))
end

local function arrive(target, arrival)
  local passes = table.concat(resolve(arrival.passes), PASS_SEP)
  if arrival.ifRescued and not isRescued(arrival) then return false end
  if target.unmarked then
    if not isFirst then return false end
  else
    local mark = field('a', target.node, arrival.from, passes)
    if target.gathers then mark = field(mark, 'g') end
    if get(mark) then return false end
    set(mark, '1')
  end
  if target.gathers then
    add(field('d', target.node), 1)
    return true
  end
  local loops = {}
  for i, ref in ipairs(arrival.passes) do loops[i] = ref[1] end
  add(field('n', target.node, table.concat(loops, PASS_SEP), passes), 1)
  return true
end

local function arrived(target, passes)
  local own = {}
  for i, ref in ipairs(target.passes) do own[ref[1]] = passes[i] end
  local sum = 0
  for _, group in ipairs(target.groups) do
    local refs = {}
    for i, loop in ipairs(group) do refs[i] = {loop, own[loop]} end
    local seen = table.concat(resolve(refs), PASS_SEP)
    sum = sum + tonumber(get(field('n', target.node, table.concat(group, PASS_SEP), seen)) or '0')
  end
  return sum
end

local function isDirect(target)
  if target.when ~= 'joined' then return true end
  local hasCompleted = false
  for _, arrival in ipairs(target.arrivals) do
    if not arrival.ifRescued then hasCompleted = true end
  end
  return target.need <= 1 and hasCompleted and awaited(target) == 0 and not target.gathers
end

local function isOwn(target)
  if #target.arrivals == 0 then return true end
  for _, arrival in ipairs(target.arrivals) do
    if not arrival.ifRescued or (isRescued(arrival) and roundOf(arrival) < round) then return true end
  end
  return false
end

local function fireOver(target, passes, joined)
  local arrived = turnOfPasses(passes)
  if target.when == 'each' then
    arrived = target.turn or turnOfEntry(passes, target.entry)
    if target.fresh and wasReady(target.node, arrived, joined) then return end
  end
  fire(target, arrived, joined, round + 1)
end

local function tell(target, late)
  local passes = resolve(target.passes)
  local joined = table.concat(passes, PASS_SEP)
  local mark = field('k', target.node, joined)
  if target.when == 'settled' then
    if target.taken then raise(mark) end
    return
  end
  if isDirect(target) then
    if target.taken and not isOwn(target) then
      raise(mark)
      return
    end
    local taken = target.taken
    if late then taken = tonumber(get(mark) or '-1') > round end
    if taken then fireOver(target, passes, joined) end
    if taken or target.when ~= 'joined' then return end
  end
  local last = field('r', target.node, joined)
  for _, arrival in ipairs(target.arrivals) do
    if arrive(target, arrival) then raise(last, arrival.ifRescued and roundOf(arrival) or round) end
  end
  if target.taken then raise(mark) end
  local takenIn = tonumber(get(mark) or '-1')
  if takenIn < tonumber(get(last) or '0') then return end
  if tonumber(get(field('d', target.node)) or '0') < awaited(target) then return end
  if arrived(target, passes) >= target.need then fire(target, turnOfPasses(passes), joined, takenIn + 1) end
end

local function review(target)
  local passes = resolve(target.passes)
  local joined = table.concat(passes, PASS_SEP)
  local latest = get(field('k', target.node, joined))
  if not latest then return end
  latest = tonumber(latest)
  for depth = 0, #passes do
    local prefix = table.concat(passes, PASS_SEP, 1, depth)
    if tonumber(get(field('u', target.node, prefix)) or '0') ~= 0 then return end
    latest = math.max(latest, tonumber(get(field('r', target.node, prefix)) or '0'))
  end
  fire(target, turnOfPasses(passes), joined, latest + 1)
end

local function leave(passes)
  eachLead(settlement.leads, passes, function(join, prefix)
    add(field('u', join, prefix), -1)
    raise(field('r', join, prefix))
  end)
end
`;

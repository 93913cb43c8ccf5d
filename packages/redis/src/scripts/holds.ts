import { BOOKS } from './books.js'
import { GRANTS } from './grants.js'
import { OPENING, script } from './script.js'

/** `BudgetStore.reserve`. What it decides by an override that the caller did not know is not decided: `stale`. */
export const RESERVE = script(
  '',
  OPENING,
  BOOKS,
  GRANTS,
  `
local deadline = number()
local id, owner, phase, leaseMs, policy, maxOpen = word(), word(), word(), number(), word(), number()
local call = word()
local ask = readAsk()
local asked = {}
for at = 1, number() do
  asked[at] = { name = word(), template = word(), override = word(), lasts = word(), start = number(), ends = word() }
end
-- A command that waited in somebody's queue: whoever sent it has been told that nobody answered.
if NOW > deadline then return say('late') end

local known = find(id)
if known then return say('known', holdRow(id, known), statesOf(accountsOf(known))) end

for at, one in ipairs(asked) do
  local override = pool(one.name).override
  if override ~= one.override then return say('stale', text(at), override) end
end

local late, lateOnes, lateOwn = {}, {}, 0
for _, one in ipairs(asked) do
  for _, other in ipairs(overdueIn(P .. 'open:' .. one.name, '-1')) do
    if not lateOnes[other] then
      lateOnes[other] = true
      late[#late + 1] = other
      local lost = find(other)
      if lost.owner == owner and lost.phase == 'reserved' then lateOwn = lateOwn + 1 end
    end
  end
end
if maxOpen and redis.call('ZCARD', P .. 'own:' .. owner) - lateOwn >= maxOpen then return say('many') end

local found, capacities, places = {}, {}, {}
for at, one in ipairs(asked) do
  local terms = one.override ~= '' and one.override or one.template
  if terms == '' then return say('unknown', one.name) end
  capacities[at] = capacityOf(terms)
  found[at] = account(one.name, one.start)
  places[at] = { one.name, one.start }
end
for _, other in ipairs(late) do expireOne(other, find(other), policy) end
for at, one in ipairs(asked) do found[at].ends = one.ends end
local granted, refusal = decide(ask, found, capacities)
if not granted then return say(unpack(refusal)) end

for at, one in ipairs(asked) do
  local before = pool(one.name).template
  local template = one.template ~= '' and one.template or one.override
  local key = P .. 'pool:' .. one.name
  -- Also where it was forgotten a while ago, and is kept for corrections.
  if before == '' or found[at].open == 0 then later('ZADD', P .. 'names', '0', one.name) end
  if before ~= template then
    later('SET', key, template)
    pools[one.name].template = template
  end
  if one.lasts == '' then later('PEXPIRE', key, text(math.max((tonumber(one.ends) or AT) - AT, 0) + KEEP))
  elseif before == template then later('PERSIST', key) end
  later('ZADD', P .. 'open:' .. one.name, text(AT + leaseMs), id)
  found[at].open = found[at].open + 1
end
later('ZADD', P .. 'leases', text(AT + leaseMs), id)
if phase == 'reserved' then
  later('ZADD', P .. 'own:' .. owner, text(tonumber(redis.call('GET', P .. 'seq') or 0) + 1), id)
  later('INCR', P .. 'seq')
end
holds[id] = { owner = owner, phase = phase, state = 'held', held = granted.amount, counted = granted.fixed,
  charged = NOTHING, output = granted.output, lease = AT + leaseMs, places = places, changed = true,
  call = call ~= '' and call or nil }
hold(holds[id], found, capacities, granted.amount)
local expired = {}
for at, other in ipairs(late) do expired[at] = expiredRow(other) end
local row = holdRow(id, holds[id])
commit()
return say('granted', text(granted.output), row, statesOf(found), expired)
`,
)

/** `BudgetStore.extend`. */
export const EXTEND = script(
  '',
  OPENING,
  BOOKS,
  GRANTS,
  `
local id = word()
local ask = readAsk()
local it = find(id)
if not it or it.state ~= 'held' then return say('none') end
local found, capacities = accountsOf(it), {}
for at, one in ipairs(found) do
  capacities[at] = capacityOf(termsOf(one.name))
  if not capacities[at] then return say('unknown', one.name) end
end
local granted, refusal = decide(ask, found, capacities)
if not granted then return say(unpack(refusal)) end
hold(it, found, capacities, granted.amount)
it.held, it.counted, it.changed = plus(it.held, granted.amount), plus(it.counted, granted.fixed), true
commit()
return say('granted', text(granted.output), holdRow(id, it), statesOf(found), {})
`,
)

/** `BudgetStore.renew`. */
export const RENEW = script(
  'allow-oom',
  OPENING,
  BOOKS,
  `
local lease = AT + number()
local lost = {}
for _ = 1, number() do
  local id, counted = word(), { t = number(), n = number() }
  local it = findAny(id)
  if it and it.state == 'held' then
    for _, unit in ipairs(UNITS) do
      it.counted[unit] = math.min(math.max(it.counted[unit], counted[unit]), it.held[unit])
    end
    it.lease, it.changed = lease, true
    later('ZADD', P .. 'leases', text(lease), id)
    for _, place in ipairs(it.places) do later('ZADD', P .. 'open:' .. place[1], text(lease), id) end
  else
    lost[#lost + 1] = id
  end
end
commit()
return say('renewed', lost)
`,
)

import { BOOKS } from './books.js'
import { OPENING, script } from './script.js'

/**
 * `BudgetStore.settle` and, with 'release' for an amount, `release`: the rules are those of `settled` and `released` of
 * @hoosh/core/storage. It writes where memory is full, too: what was spent must be known.
 */
export const END = script(
  'allow-oom',
  OPENING,
  BOOKS,
  `
local id, said = word(), word()
local isRelease = said == 'release'
local actual = isRelease and NOTHING or { t = tonumber(said), n = number() }
local it = find(id)
if not it then return say('none') end
local outcome, overrun, charged, isRepeated = 'settled', NOTHING, actual, it.state ~= 'held'
if it.state == 'expired' then
  outcome, overrun, charged, isRepeated = 'corrected', beyond(actual, it.charged), minus(atLeast(actual, refundedOf(it)), it.charged), it.corrected ~= nil
  if it.corrected and not same(it.corrected, actual) then return say('conflict', holdRow(id, it)) end
elseif isRelease then
  outcome = 'released'
  if it.state == 'settled' then return say('conflict', holdRow(id, it)) end
else
  overrun = beyond(actual, it.held)
  if it.state == 'released' or (it.state == 'settled' and not same(it.charged, actual)) then
    return say('conflict', holdRow(id, it))
  end
end
local found = accountsOf(it)
if not isRepeated then
  for _, one in ipairs(found) do
    for _, unit in ipairs(UNITS) do
      local held = outcome == 'corrected' and one.held[unit] or one.held[unit] - it.held[unit]
      if one.used[unit] + held + charged[unit] > MAX then return say('beyond', unit, one.name) end
    end
  end
  if outcome == 'corrected' then
    post(id, it, 'correction', NOTHING, charged, overrun)
    it.corrected, it.changed = actual, true
  else
    close(id, it, outcome, charged, overrun)
  end
end
local row, states = holdRow(id, it), statesOf(found)
commit()
return say('ended', outcome, { text(overrun.t), text(overrun.n) }, isRepeated and '1' or '', row, states)
`,
)

/** Names of pools that one sweep looks at: whatever has ended on its own is taken off the list in time. */
const LOOKED_AT = 20

/** Credits whose end one sweep enters. */
const MOST_LAPSED = 100

/** `BudgetStore.expire`. */
export const EXPIRE = script(
  'allow-oom',
  OPENING,
  BOOKS,
  `
local policy, limit = word(), word()
local expired = {}
for at, id in ipairs(overdueIn(P .. 'leases', limit)) do
  expireOne(id, find(id), policy)
  expired[at] = expiredRow(id)
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', P .. 'lapses', '-inf', text(AT), 'LIMIT', '0', '${MOST_LAPSED}')) do
  local name, id = unpack(cmsgpack.unpack(member))
  local of = creditsOf(name)
  for place, credit in ipairs(of.list) do
    if credit.id == id then
      enterCredit(name, 'credit_expired', credit, credit.lt, credit.ln)
      table.remove(of.list, place)
      of.changed = true
      break
    end
  end
  later('ZREM', P .. 'lapses', member)
end
for _, name in ipairs(redis.call('ZRANDMEMBER', P .. 'names', '${LOOKED_AT}')) do
  if redis.call('EXISTS', P .. 'pool:' .. name) == 0 and redis.call('HEXISTS', P .. 'overrides', name) == 0 then
    later('ZREM', P .. 'names', name)
  end
end
commit()
return say('expired', expired)
`,
)

const DEFINING = `
local terms = word()
if terms == '' then
  redis.call('HDEL', P .. 'overrides', name)
  if redis.call('EXISTS', P .. 'pool:' .. name) == 0 then redis.call('ZREM', P .. 'names', name) end
else
  redis.call('HSET', P .. 'overrides', name, terms)
  redis.call('ZADD', P .. 'names', '0', name)
end
return say('defined')
`

/** `BudgetStore.define`; '' removes. */
export const DEFINE = script('', OPENING, BOOKS, 'local name = word()', DEFINING)

/** The same for terms that were made of the override before; where that is another one by now: `stale`. */
export const REDEFINE = script(
  '',
  OPENING,
  BOOKS,
  `
local name, before = word(), word()
local override = pool(name).override
if override ~= before then return say('stale', '1', override) end
`,
  DEFINING,
)

/** `BudgetStore.forget`. What corrections may still need is kept as long as ended holds are. */
export const FORGET = script(
  'allow-oom',
  OPENING,
  BOOKS,
  `
local name = word()
redis.call('HDEL', P .. 'overrides', name)
for _, id in ipairs(redis.call('ZRANGE', P .. 'open:' .. name, '0', '-1')) do
  local it = find(id)
  if it and it.state == 'held' then return say('forgotten', '') end
end
redis.call('ZREM', P .. 'names', name)
redis.call('DEL', P .. 'open:' .. name)
redis.call('PEXPIRE', P .. 'pool:' .. name, text(KEEP))
redis.call('PEXPIRE', P .. 'account:0:' .. name, text(KEEP))
return say('forgotten', '1')
`,
)

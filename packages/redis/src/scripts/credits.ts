import { BOOKS } from './books.js'
import { OPENING, script } from './script.js'

/** What `checkCredit` of @hoosh/core/storage refuses is `refused`: that says why. */
export const CREDIT = script(
  '',
  OPENING,
  BOOKS,
  `
local name, template, override, start, ends = word(), word(), word(), number(), word()
local credit = { id = word(), t = number(), n = number(), till = number() }
if word() ~= '' then credit.note = word() end
local known = pool(name).override
if known ~= override then return say('stale', '1', known) end
if override == '' and template == '' then return say('unknown', name) end
if creditsOf(name).damaged then error('credits that cannot be read') end
local it = account(name, start)
it.ends = ends
local packed = redis.call('HGET', P .. 'credit:' .. name, credit.id)
if packed then
  local given = cmsgpack.unpack(packed)
  if same(given, credit) and given.till == credit.till and given.note == credit.note then
    return say('credited', '1', stateRow(it))
  end
  local row = { { text(given.t), text(given.n) }, given.till and text(given.till) or '', given.note and { given.note } or {} }
  return say('refused', row, stateRow(it), text(AT))
end
local sum, count = credit, 0
for _, one in ipairs(live(name)) do sum, count = plus(sum, { t = one.lt, n = one.ln }), count + 1 end
local isOver = credit.till and credit.till <= AT
if same(credit, NOTHING) or isOver or count >= 100 or math.max(sum.t, sum.n) > 4503599627370496 then
  return say('refused', {}, stateRow(it), text(AT))
end
CREDITED = '1'
later('SET', P .. 'credited', '1')
later('HSET', P .. 'credit:' .. name, credit.id, cmsgpack.pack(credit))
later('ZADD', P .. 'names', '0', name)
if pool(name).template == '' then
  pools[name].template = template ~= '' and template or override
  later('SET', P .. 'pool:' .. name, pools[name].template)
end
putIn(name, { id = credit.id, t = credit.t, n = credit.n, lt = credit.t, ln = credit.n, till = credit.till, note = credit.note })
enterCredit(name, 'credit', credit, credit.t, credit.n)
local row = stateRow(it)
commit()
return say('credited', '', row)
`,
)

/** What `checkRefund` of @hoosh/core/storage refuses is `refused`. It writes where memory is full, as a settle does. */
export const REFUND = script(
  'allow-oom',
  OPENING,
  BOOKS,
  `
local id, refund = word(), { id = word(), t = number(), n = number() }
if word() ~= '' then refund.note = word() end
local it = find(id)
if not it then return say('none') end
for _, one in ipairs(it.refunds or {}) do
  if one.id == refund.id then
    if same(one, refund) and one.note == refund.note then return say('refunded', '1', statesOf(accountsOf(it))) end
    return say('refused', holdRow(id, it))
  end
end
local net = netOf(it)
if it.state == 'held' or same(refund, NOTHING) or refund.t > net.t or refund.n > net.n then
  return say('refused', holdRow(id, it))
end
post(id, it, 'refund', NOTHING, minus(NOTHING, refund), NOTHING, refund)
it.refunds = it.refunds or {}
it.refunds[#it.refunds + 1] = refund
it.changed = true
local states = statesOf(accountsOf(it))
commit()
return say('refunded', '', states)
`,
)

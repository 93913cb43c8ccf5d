import { BOOKS } from './books.js'
import { OPENING, script } from './script.js'

/** Entries that one step looks at. */
const LOOKED_AT = 1_000

/** Pools that were ever given a credit, some at a time: the next cursor, then their names. */
export const CREDITED = script(
  'no-writes',
  OPENING,
  BOOKS,
  `
local root = P:gsub('[%*%?%[%]\\\\]', '\\\\%0')
local found = redis.call('SCAN', word(), 'MATCH', root .. 'credit:*', 'COUNT', '200')
local names = {}
for at, key in ipairs(found[2]) do names[at] = key:sub(#P + 8) end
return say('pools', found[1], names)
`,
)

const TOLD = `
-- What a page of a pool's entries says of its credits: the windows of its reservations, how many were given, what has expired.
local function told(name, from, most)
  local starts, given, t, n, count, last = {}, 0, 0, 0, 0, from
  local args = { 'XRANGE', P .. 'entries:' .. name, from, '+' }
  if most then args[5], args[6] = 'COUNT', most end
  for _, entry in ipairs(redis.call(unpack(args))) do
    local said = {}
    for at = 1, #entry[2], 2 do said[entry[2][at]] = entry[2][at + 1] end
    if said.kind == 'credit' then given = given + 1
    elseif said.kind == 'credit_expired' then t, n = t + said.t, n + said.n
    else starts[said.start] = true end
    last, count = '(' .. entry[1], count + 1
  end
  local list = {}
  for start in pairs(starts) do list[#list + 1] = start end
  return list, given, t, n, count, last
end
`

/** A page of a pool's entries, and where the next one begins. */
export const CREDIT_ENTRIES = script(
  'no-writes',
  OPENING,
  BOOKS,
  TOLD,
  `
local list, given, t, n, count, last = told(word(), word(), '${LOOKED_AT}')
return say('told', list, text(given), text(t), text(n), text(count), last)
`,
)

/**
 * The credits of a pool and all that they came to, of one moment: what was given, how many those are and how many of them its
 * entries tell of, what is left, drawn and expired together, and what of it cannot be.
 */
export const CREDIT_BOOKS = script(
  'no-writes',
  OPENING,
  BOOKS,
  TOLD,
  `
local name, from = word(), word()
local entered, t, n = number(), number(), number()
local windows = {}
for _ = 1, number() do windows[word()] = true end
local list, more, expiredT, expiredN = told(name, from)
entered, t, n = entered + more, t + expiredT, n + expiredN
for _, start in ipairs(list) do windows[start] = true end
for _, id in ipairs(redis.call('ZRANGE', P .. 'open:' .. name, '0', '-1')) do
  local hold = findAny(id)
  for _, place in ipairs(hold and hold.places or {}) do
    if place[1] == name then windows[text(place[2])] = true end
  end
end
for start in pairs(windows) do
  local drawn = account(name, tonumber(start)).drawn
  t, n = t + drawn.t, n + drawn.n
end
local wrong = ''
local of = creditsOf(name)
if of.damaged then wrong = 'left' end
for _, credit in ipairs(of.list) do
  t, n = t + credit.lt, n + credit.ln
  if credit.lt < 0 or credit.ln < 0 or credit.lt > credit.t or credit.ln > credit.n then wrong = 'beyond' end
end
local many, givenT, givenN = 0, 0, 0
for at, packed in ipairs(redis.call('HVALS', P .. 'credit:' .. name)) do
  local isRead, credit = pcall(cmsgpack.unpack, packed)
  if isRead and type(credit) == 'table' then givenT, givenN = givenT + credit.t, givenN + credit.n else wrong = 'given' end
  many = at
end
return say('credits', { text(givenT), text(givenN) }, { text(t), text(n) }, text(many), text(entered), wrong)
`,
)

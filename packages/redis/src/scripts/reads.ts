import { BOOKS } from './books.js'
import { OPENING, script } from './script.js'

/** `BudgetStore.read`; `stale` as in a reserve. */
export const READ = script(
  'no-writes',
  OPENING,
  BOOKS,
  `
local rows = {}
for at = 1, number() do
  local name, override, start, ends = word(), word(), number(), word()
  local known = pool(name).override
  if known ~= override then return say('stale', text(at), known) end
  local it = account(name, start)
  it.ends = ends
  rows[at] = stateRow(it)
end
return say('states', rows)
`,
)

/** Names of pools after one, and their terms; a name that is only left over is passed by. */
export const LIST = script(
  'no-writes',
  OPENING,
  BOOKS,
  `
local after, limit = word(), number()
local rows = {}
while #rows < limit do
  local names = redis.call('ZRANGEBYLEX', P .. 'names', after == '' and '-' or '(' .. after, '+', 'LIMIT', '0', text(limit))
  for _, name in ipairs(names) do
    after = name
    local known = pool(name)
    if #rows < limit and (known.override ~= '' or known.template ~= '') then
      rows[#rows + 1] = { name, known.override, known.template }
    end
  end
  if #names < limit then break end
end
return say('names', rows)
`,
)

/** `BudgetStore.entries`: a page of the stream, newest first. */
export const ENTRIES = script(
  'no-writes',
  OPENING,
  BOOKS,
  `
local name, before, limit = word(), word(), word()
return say('entries', redis.call('XREVRANGE', P .. 'entries:' .. name, before == '' and '+' or '(' .. before, '-', 'COUNT', limit))
`,
)

/** One reservation by its id. */
export const FIND = script(
  'no-writes',
  OPENING,
  BOOKS,
  `
local id = word()
local it = find(id)
if not it then return say('none') end
return say('found', holdRow(id, it))
`,
)

/** The oldest open one of an owner in exactly one pool with exactly one amount. */
export const FIND_OLDEST = script(
  'no-writes',
  OPENING,
  BOOKS,
  `
local owner, name, amount = word(), word(), { t = number(), n = number() }
for _, id in ipairs(redis.call('ZRANGE', P .. 'own:' .. owner, '0', '-1')) do
  local it = findAny(id)
  if it and #it.places == 1 and it.places[1][1] == name and same(it.held, amount) then return say('found', holdRow(id, it)) end
end
return say('none')
`,
)

/** `BudgetStore.overrides`, as names and texts in turn. */
export const OVERRIDES = script(
  'no-writes',
  OPENING,
  BOOKS,
  `
return say('overrides', redis.call('HGETALL', P .. 'overrides'))
`,
)

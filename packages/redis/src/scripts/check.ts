import { BOOKS } from './books.js'
import { OPENING, script } from './script.js'

/** Keys that one step looks at: a millisecond or two of the server. */
const SCANNED = 200
/** Entries that one step adds up. */
const ADDED = 1_000
/** Entries near the end of a reservation among which its own is looked for. */
const NEAR = 200

const KEYS_OF = `
local function keysOf(kind, cursor)
  local root = P:gsub('[%*%?%[%]\\\\]', '\\\\%0')
  return redis.call('SCAN', cursor, 'MATCH', root .. kind .. ':*', 'COUNT', '${SCANNED}')
end
`

/** Accounts that there are, some at a time: the next cursor, then pools and windows. */
export const ACCOUNTS = script(
  'no-writes',
  OPENING,
  BOOKS,
  KEYS_OF,
  `
local found = keysOf('account', word())
local rows = {}
for at, key in ipairs(found[2]) do
  local start, name = key:sub(#P + 9):match('^(-?%d+):(.*)$')
  rows[at] = { name, start }
end
return say('accounts', found[1], rows)
`,
)

const SUMS = `
local function addUp(name, start, from, most)
  local t, n, ot, on, count, last = 0, 0, 0, 0, 0, from
  local args = { 'XRANGE', P .. 'entries:' .. name, from, '+' }
  if most then args[5], args[6] = 'COUNT', most end
  for _, entry in ipairs(redis.call(unpack(args))) do
    local said = {}
    for at = 1, #entry[2], 2 do said[entry[2][at]] = entry[2][at + 1] end
    if tonumber(said.start) == start then
      t, n, ot, on = t + said.t, n + said.n, ot + said.ot, on + said.on
    end
    last, count = '(' .. entry[1], count + 1
  end
  return { text(t), text(n), text(ot), text(on), text(count), last }
end
`

/** What a page of a pool's entries comes to in one window, and where the next page begins. */
export const ADD_UP = script(
  'no-writes',
  OPENING,
  BOOKS,
  SUMS,
  `
return say('sums', addUp(word(), number(), word(), '${ADDED}'))
`,
)

/**
 * An account beside its open holds, and the entries that came since it was added up, all of one moment; the moment since
 * which every entry is there, '' where there is none; its cap and what credits pay beside it, or 'unreadable'.
 */
export const ACCOUNT = script(
  'no-writes',
  OPENING,
  BOOKS,
  SUMS,
  `
local name, start, from = word(), number(), word()
local it = account(name, start)
if redis.call('EXISTS', P .. 'account:' .. text(start) .. ':' .. name) == 0 then return say('gone') end
local t, n, count = 0, 0, 0
for _, id in ipairs(redis.call('ZRANGE', P .. 'open:' .. name, '0', '-1')) do
  local hold = findAny(id)
  if hold and hold.state == 'held' then
    for _, place in ipairs(hold.places) do
      if place[1] == name and place[2] == start then t, n, count = t + hold.held.t, n + hold.held.n, count + 1 end
    end
  end
end
local key, since = P .. 'entries:' .. name, ''
local left = redis.call('PTTL', key)
if left > 0 then
  local info = redis.call('XINFO', 'STREAM', key)
  for at = 1, #info, 2 do
    -- Each entry renews how long the stream is kept.
    if info[at] == 'last-generated-id' then since = text(tonumber(info[at + 1]:match('^%d+')) - left) end
  end
end
local capacity = capacityOf(termsOf(name))
local caps = capacity and capacity.damaged and 'unreadable' or { capacity and capacity.t and text(capacity.t + it.drawn.t) or '',
  capacity and capacity.n and text(capacity.n + it.drawn.n) or '' }
return say('account', { text(it.used.t), text(it.used.n) }, { text(it.held.t), text(it.held.n) }, { text(t), text(n) },
  text(it.open), text(count), it.ends, addUp(name, start, from), since, caps)
`,
)

/** Reservations that there are, some at a time: the next cursor, how many are open, and what is wrong with which. */
export const HOLDS = script(
  'no-writes',
  OPENING,
  BOOKS,
  KEYS_OF,
  `
local found = keysOf('hold', word())
local overdueAt = AT - number()
local wrong, opened = {}, 0
local function note(code, id, pool, what) wrong[#wrong + 1] = { code, id, pool, what } end
local function terminals(id, hold, name)
  local entries = redis.call('XRANGE', P .. 'entries:' .. name, text(hold.ended - 5), text(hold.ended + 1000), 'COUNT', '${NEAR}')
  local count = 0
  for _, entry in ipairs(entries) do
    if entry[2][2] == id and entry[2][6] ~= 'correction' and entry[2][6] ~= 'refund' then count = count + 1 end
  end
  return count, #entries
end
for _, key in ipairs(found[2]) do
  local id = key:sub(#P + 6)
  local hold, isDamaged = findAny(id)
  local left = redis.call('PTTL', key)
  if isDamaged then note('damaged', id, '', 'what is stored of it') end
  if hold and hold.call and not pcall(cjson.decode, hold.call) then note('damaged', id, '', 'what is stored of its call') end
  if hold and hold.state == 'held' then
    opened = opened + 1
    if left >= 0 then note('entry', id, '', 'it is open, and its key is going to end by itself') end
    if not redis.call('ZSCORE', P .. 'leases', id) then note('orphan', id, '', 'it is open, and on no list that a sweep looks at') end
    if hold.lease < overdueAt then note('overdue', id, '', text((AT - hold.lease) / 1000) .. ' s') end
    for _, place in ipairs(hold.places) do
      local name = place[1]
      if not redis.call('ZSCORE', P .. 'open:' .. name, id) then note('orphan', id, name, 'it is open, and not on the list of its pool') end
      if redis.call('EXISTS', P .. 'account:' .. text(place[2]) .. ':' .. name) == 0 then note('orphan', id, name, 'its account is gone') end
    end
  elseif hold then
    if left < 0 then note('entry', id, '', 'it has ended, and its key stays for ever') end
    if hold.state == 'released' and (hold.charged.t ~= 0 or hold.charged.n ~= 0) then note('entry', id, '', 'it was released and charged all the same') end
    -- Its entries are kept as long as it is; where the clock is not the server's, nobody knows when they were made.
    if clock == '' and left > 60000 then
      for _, place in ipairs(hold.places) do
        local count, near = terminals(id, hold, place[1])
        if count > 1 then note('entry', id, place[1], 'more than one entry ends it')
        elseif count == 0 and near < ${NEAR} then note('entry', id, place[1], 'it has ended, and no entry tells of that') end
      end
    end
  end
end
return say('holds', found[1], text(opened), text(#found[2] - opened), wrong)
`,
)

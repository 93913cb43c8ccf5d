import { CREDITS, DRAWS } from './credit-books.js'

/**
 * The ledger as the scripts see it. They read into these tables, decide there, and write at the very end: a step that is
 * refused, or that fails while it reads, has changed nothing.
 *
 * Numbers are doubles in Lua, exact up to 2^53 - 1, and sums beyond are refused. They are written as text: Lua's own
 * conversions and cjson would round from 15 digits on. Holds are packed by cmsgpack, which keeps integers whole.
 *
 * Keys, all below the root:
 * - `hold:ID` a reservation; it ends KEEP after it was ended
 * - `account:START:POOL` what a pool has used and holds in a window; ends KEEP after the window, never for a lifetime
 * - `pool:POOL` what the host's template said when the pool was last held in; ends with the pool's last account
 * - `entries:POOL` stream of what ended its reservations, KEEP long
 * - `open:POOL`, `leases` reservations by the end of their lease, of a pool and of all
 * - `own:OWNER` his reservations in phase `reserved`, oldest first
 * - `names`, `overrides`, `seq` names of pools in order, terms that win over templates, the last number given
 * - `credited` whether any pool was ever given a credit, `credits` what pools have left of theirs, by name and in the order
 *   they are spent; `credit:POOL` all that were given to it, by id, for good; `lapses` those that expire, by when
 */
export const BOOKS = `
local opening = redis.call('MGET', P, P .. 'credited')
local schema, CREDITED = opening[1], opening[2]
if schema ~= '1' then return say('schema', schema or '') end
local KEEP = number()
local clock = word()
local AT = clock == '' and NOW or tonumber(clock)
local MAX = 9007199254740991
local UNITS = { 't', 'n' }
local holds, accounts, pools, credits, writes = {}, {}, {}, {}, {}

local function later(...) writes[#writes + 1] = { ... } end

local function find(id)
  if holds[id] == nil then
    local packed = redis.call('GET', P .. 'hold:' .. id)
    local hold = packed and cmsgpack.unpack(packed)
    if packed and (type(hold) ~= 'table' or type(hold.places) ~= 'table') then error('a hold that cannot be read') end
    holds[id] = hold or false
  end
  return holds[id]
end

-- The same for whoever goes through many of them: of one that was damaged, nil and true.
local function findAny(id)
  local isRead, hold = pcall(find, id)
  if isRead then return hold end
  return nil, true
end

local function account(name, start)
  local key = P .. 'account:' .. text(start) .. ':' .. name
  if not accounts[key] then
    local row = redis.call('HMGET', key, 'ut', 'un', 'ht', 'hn', 'open', 'ends', 'dt', 'dn')
    accounts[key] = {
      name = name, start = start, open = tonumber(row[5] or 0), before = tonumber(row[5] or 0), ends = row[6] or '',
      used = { t = tonumber(row[1] or 0), n = tonumber(row[2] or 0) },
      held = { t = tonumber(row[3] or 0), n = tonumber(row[4] or 0) },
      drawn = { t = tonumber(row[7] or 0), n = tonumber(row[8] or 0) },
    }
  end
  return accounts[key]
end

-- Terms as texts, '' where there are none: the override wins.
local function pool(name)
  if not pools[name] then
    pools[name] = {
      override = redis.call('HGET', P .. 'overrides', name) or '',
      template = redis.call('GET', P .. 'pool:' .. name) or '',
    }
  end
  return pools[name]
end

-- What terms cap, and whether they freeze, as those do that cannot be read; nothing where there are none.
local function capacityOf(terms)
  if terms == '' then return nil end
  local isRead, said = pcall(cjson.decode, terms)
  if not isRead or type(said) ~= 'table' or type(said.capacity) ~= 'table' then
    return { t = 0, n = 0, frozen = true, damaged = true }
  end
  return { t = said.capacity.tokens, n = said.capacity.nanoUsd, frozen = said.frozen }
end

local function termsOf(name)
  local known = pool(name)
  return known.override ~= '' and known.override or known.template
end

local function accountsOf(hold)
  local found = {}
  for at, place in ipairs(hold.places) do found[at] = account(place[1], place[2]) end
  return found
end

${CREDITS}
local function commit()
  for _, write in ipairs(writes) do redis.call(unpack(write)) end
  for id, hold in pairs(holds) do
    if hold and hold.changed then
      hold.changed = nil
      local packed = cmsgpack.pack(hold)
      if hold.state == 'held' then redis.call('SET', P .. 'hold:' .. id, packed)
      else redis.call('SET', P .. 'hold:' .. id, packed, 'PX', text(KEEP)) end
    end
  end
  for key, it in pairs(accounts) do
    if it.changed then
      redis.call('HSET', key, 'ut', text(it.used.t), 'un', text(it.used.n), 'ht', text(it.held.t), 'hn', text(it.held.n),
        'open', text(it.open), 'ends', it.ends)
      if CREDITED then redis.call('HSET', key, 'dt', text(it.drawn.t), 'dn', text(it.drawn.n)) end
      if it.open > 0 then
        if it.before == 0 then redis.call('PERSIST', key) end
      elseif it.start ~= 0 then
        redis.call('PEXPIRE', key, text(math.max((tonumber(it.ends) or AT) - AT, 0) + KEEP))
      end
    end
  end
  for name, of in pairs(credits) do
    if of.changed and not of.damaged then
      if #of.list == 0 then redis.call('HDEL', P .. 'credits', name)
      else redis.call('HSET', P .. 'credits', name, cmsgpack.pack(of.list)) end
    end
  end
end

local function stateRow(it)
  local known = pool(it.name)
  local rows = {}
  for at, credit in ipairs(live(it.name)) do
    rows[at] = { credit.id, { text(credit.t), text(credit.n) }, { text(credit.lt), text(credit.ln) },
      credit.till and text(credit.till) or '', credit.note and { credit.note } or {} }
  end
  return { it.name, known.override, known.template, text(it.start), it.ends,
    { text(it.used.t), text(it.used.n) }, { text(it.held.t), text(it.held.n) }, { text(it.drawn.t), text(it.drawn.n) }, rows }
end

local function statesOf(found)
  local rows = {}
  for at, it in ipairs(found) do rows[at] = stateRow(it) end
  return rows
end

local function holdRow(id, hold)
  local places = {}
  for at, place in ipairs(hold.places) do places[at] = { place[1], text(place[2]) } end
  local function both(amount) return amount and { text(amount.t), text(amount.n) } or {} end
  local refunds = {}
  for at, refund in ipairs(hold.refunds or {}) do
    refunds[at] = { refund.id, both(refund), refund.note and { refund.note } or {} }
  end
  return { id, hold.owner, hold.phase, hold.state, both(hold.held), both(hold.counted), both(hold.charged),
    both(hold.corrected), text(hold.output), text(hold.lease), text(hold.ended or 0), hold.call or '', places,
    refunds }
end

local function expiredRow(id)
  return { holdRow(id, find(id)), statesOf(accountsOf(find(id))) }
end

local function same(a, b) return a.t == b.t and a.n == b.n end
local function plus(a, b) return { t = a.t + b.t, n = a.n + b.n } end
local function minus(a, b) return { t = a.t - b.t, n = a.n - b.n } end
local function beyond(a, b) return { t = math.max(a.t - b.t, 0), n = math.max(a.n - b.n, 0) } end
local function atLeast(a, b) return { t = math.max(a.t, b.t), n = math.max(a.n, b.n) } end
local NOTHING = { t = 0, n = 0 }

-- 'about' is the id of a credit or refund, and what its note says.
local function enter(name, id, start, kind, amount, overrun, about)
  local key = P .. 'entries:' .. name
  local fields = { 'id', id, 'start', start, 'kind', kind, 't', text(amount.t), 'n', text(amount.n),
    'ot', text(overrun.t), 'on', text(overrun.n), 'at', text(AT) }
  if about then
    fields[#fields + 1], fields[#fields + 2] = 'ref', about.id
    if about.note then fields[#fields + 1], fields[#fields + 2] = 'note', about.note end
  end
  later('XADD', key, 'MINID', '~', text(math.max(NOW - KEEP, 0)), '*', unpack(fields))
  later('PEXPIRE', key, text(KEEP))
end

local function enterCredit(name, kind, credit, t, n)
  enter(name, '', '', kind, { t = t, n = n }, NOTHING, credit)
end

${DRAWS}
-- Books what ends or mends a reservation in all its accounts.
local function post(id, hold, kind, freed, charged, overrun, about)
  local from, to = netOf(hold), charged
  if hold.state ~= 'held' then to = plus(from, charged) end
  for at, it in ipairs(accountsOf(hold)) do
    if hold.draws and #hold.draws[at] > 0 then hold.draws[at] = undraw(it, hold.draws[at], from, to) end
    it.used, it.held, it.changed = plus(it.used, charged), minus(it.held, freed), true
    enter(it.name, id, text(it.start), kind, charged, overrun, about)
  end
end

-- Takes a hold off the open ones.
local function close(id, hold, state, charged, overrun)
  post(id, hold, state, hold.held, charged, overrun)
  for _, it in ipairs(accountsOf(hold)) do
    it.open = it.open - 1
    later('ZREM', P .. 'open:' .. it.name, id)
  end
  later('ZREM', P .. 'leases', id)
  if hold.phase == 'reserved' then later('ZREM', P .. 'own:' .. hold.owner, id) end
  hold.state, hold.charged, hold.ended, hold.changed = state, charged, AT, true
  -- Only of a lost call is it asked again what it was.
  if state ~= 'expired' then hold.call = nil end
end

local function expireOne(id, hold, policy)
  close(id, hold, 'expired', policy == 'counted' and hold.counted or hold.held, NOTHING)
end

-- Holds past their lease, of one of the indexes; what an index names and nobody has is taken off it. One that cannot be read
-- is left to whoever looks: what it holds stays held.
local function overdueIn(index, most)
  local late = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', text(AT), 'LIMIT', '0', most)) do
    local hold, isDamaged = findAny(id)
    if hold and hold.state == 'held' then late[#late + 1] = id elseif not isDamaged then later('ZREM', index, id) end
  end
  return late
end
`

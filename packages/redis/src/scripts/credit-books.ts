/** What pools have left of their credits; read where any pool of the ledger ever had one. Part of `BOOKS`. */
export const CREDITS = `
-- What is left of the credits of a pool, those that have expired among them. Where that was damaged, nothing can be spent of
-- it, and it stays as it is.
local function creditsOf(name)
  if not credits[name] then
    local packed = CREDITED and redis.call('HGET', P .. 'credits', name)
    local isRead, list = true, {}
    if packed then isRead, list = pcall(cmsgpack.unpack, packed) end
    local isDamaged = not isRead or type(list) ~= 'table'
    credits[name] = { list = isDamaged and {} or list, damaged = isDamaged }
  end
  return credits[name]
end

local NONE = {}

local function live(name)
  if not CREDITED then return NONE end
  local found = {}
  for _, credit in ipairs(creditsOf(name).list) do
    if not credit.till or credit.till > AT then found[#found + 1] = credit end
  end
  return found
end

local function sooner(a, b)
  local first, second = a.till or math.huge, b.till or math.huge
  if first ~= second then return first < second end
  return a.id < b.id
end
`

/** How what was drawn on credits goes back to them; the rules are those of `undrawn` and `netCharge` of @hoosh/core/storage. Part of `BOOKS`. */
export const DRAWS = `
local function refundedOf(hold)
  local sum = NOTHING
  for _, refund in ipairs(hold.refunds or {}) do sum = plus(sum, refund) end
  return sum
end

-- What a reservation stands for: what it holds, or what it was charged less what was given back.
local function netOf(hold)
  if hold.state == 'held' then return hold.held end
  local refunded = refundedOf(hold)
  return minus(hold.corrected and atLeast(hold.corrected, refunded) or hold.charged, refunded)
end

local function putIn(name, credit)
  local of = creditsOf(name)
  of.list[#of.list + 1], of.changed = credit, true
  table.sort(of.list, sooner)
  if credit.till then later('ZADD', P .. 'lapses', text(credit.till), cmsgpack.pack({ name, credit.id })) end
  return credit
end

-- Puts a credit that has something left again among those of its pool.
local function putBack(name, draw)
  local given = cmsgpack.unpack(redis.call('HGET', P .. 'credit:' .. name, draw.id))
  return putIn(name, { id = draw.id, t = given.t, n = given.n, lt = 0, ln = 0, till = given.till, note = given.note })
end

-- Gives so much of a draw back to its credit.
local function giveBack(name, draw, t, n)
  local found
  for _, credit in ipairs(creditsOf(name).list) do
    if credit.id == draw.id then found = credit end
  end
  found = found or putBack(name, draw)
  found.lt, found.ln, credits[name].changed = found.lt + t, found.ln + n, true
end

-- Before which of its credits, in their order, the window's own allowance pays.
local function windowPlace(list, ends)
  for place, credit in ipairs(list) do
    if not credit.till or (ends ~= '' and credit.till >= tonumber(ends)) then return place end
  end
  return #list + 1
end

-- What stays drawn in one account when what a reservation stands for falls from an amount to another: \`undrawn\` of core.
local function undraw(it, draws, from, to)
  local window, back = windowPlace(draws, it.ends), {}
  for _, unit in ipairs(UNITS) do
    local own, spent = from[unit], to[unit]
    for _, draw in ipairs(draws) do own = own - draw[unit] end
    for place, draw in ipairs(draws) do
      if place == window then spent = spent - math.min(spent, own) end
      local kept = math.min(spent, draw[unit])
      spent = spent - kept
      back[place] = back[place] or { t = 0, n = 0 }
      back[place][unit] = draw[unit] - kept
      draw[unit] = kept
      it.drawn[unit] = it.drawn[unit] - back[place][unit]
    end
  end
  local kept = {}
  for place, draw in ipairs(draws) do
    if back[place].t > 0 or back[place].n > 0 then giveBack(it.name, draw, back[place].t, back[place].n) end
    if draw.t > 0 or draw.n > 0 then kept[#kept + 1] = draw end
  end
  return kept
end
`

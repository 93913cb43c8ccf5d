/** How much an ask gets from its accounts, as \`decide\` of @hoosh/core/storage says it; the arithmetic is the same. */
export const GRANTS = `
local function readAsk()
  local ask = { fixed = { t = number(), n = number() }, each = { t = number(), n = number() },
    floor = number(), wish = number(), most = number() }
  local t, n = word(), word()
  if t ~= '' then ask.plenty = { t = tonumber(t), n = tonumber(n) } end
  return ask
end

local MOST_CREDIT = 4503599627370496

local function roomOf(it, capacity, unit)
  local cap = capacity[unit]
  return cap and cap - (it.used[unit] + it.held[unit] - it.drawn[unit]) or math.huge
end

local function leftOf(it, capacity, unit)
  local credit = 0
  for _, one in ipairs(live(it.name)) do credit = credit + one['l' .. unit] end
  local room = roomOf(it, capacity, unit)
  return credit == 0 and room or math.max(0, room) + math.min(credit, MOST_CREDIT)
end

local function isBlocked(it, capacity)
  if capacity.t ~= 0 then return false end
  for _, credit in ipairs(live(it.name)) do
    if credit.lt > 0 then return false end
  end
  return true
end

local function restOf(it, capacity, unit, fixed, each)
  if unit == 't' and isBlocked(it, capacity) then return -math.huge end
  if fixed == 0 and each == 0 then return math.huge end
  local left = leftOf(it, capacity, unit) - fixed
  if each > 0 then return math.floor(left / each) end
  return left >= 0 and math.huge or left
end

local function decideWith(fixed, ask, found, capacities)
  local rest, tightest, tightUnit = math.huge, nil, 't'
  for at, it in ipairs(found) do
    if capacities[at].frozen then return nil, { 'frozen', text(at), statesOf(found) } end
    for _, unit in ipairs(UNITS) do
      local pays = restOf(it, capacities[at], unit, fixed[unit], ask.each[unit])
      if pays < rest then rest, tightest, tightUnit = pays, at, unit end
    end
  end
  if tightest and rest < ask.floor then
    return nil, { 'exceeded', text(tightest), tightUnit, text(fixed[tightUnit] + ask.each[tightUnit] * ask.floor), statesOf(found) }
  end
  local output = math.min(ask.most, rest, math.max(ask.wish, math.floor(rest / 8)))
  local amount = { t = fixed.t + ask.each.t * output, n = fixed.n + ask.each.n * output }
  for _, unit in ipairs(UNITS) do
    local value = amount[unit]
    if value ~= math.floor(value) or value < 0 or value > MAX then return nil, { 'fraction', unit } end
    for _, it in ipairs(found) do
      if it.used[unit] + it.held[unit] + value > MAX then return nil, { 'beyond', unit, it.name } end
    end
  end
  return { output = output, amount = amount, fixed = fixed }
end

local function hasPlenty(ask, found, capacities)
  for at, it in ipairs(found) do
    for _, unit in ipairs(UNITS) do
      if ask.plenty[unit] > 0 and leftOf(it, capacities[at], unit) < 8 * ask.plenty[unit] then return false end
    end
  end
  return true
end

-- What is granted; or nil, and the answer that refuses it.
local function decide(ask, found, capacities)
  if ask.plenty and hasPlenty(ask, found, capacities) then
    local generous, refusal = decideWith(ask.plenty, ask, found, capacities)
    if generous or refusal[1] ~= 'exceeded' then return generous, refusal end
  end
  return decideWith(ask.fixed, ask, found, capacities)
end

-- What a hold takes from the credits of one account, onto what it took before: \`drawsOf\` of core.
local function draw(it, capacity, amount, before)
  local list = live(it.name)
  if #list == 0 then return before end
  local window, byId, draws = windowPlace(list, it.ends), {}, {}
  for at, one in ipairs(before) do
    draws[at] = one
    byId[one.id] = one
  end
  for _, unit in ipairs(UNITS) do
    local need = capacity[unit] and amount[unit] or 0
    for place, credit in ipairs(list) do
      if place == window then need = need - math.min(need, math.max(0, roomOf(it, capacity, unit))) end
      local taken = math.min(need, credit['l' .. unit])
      if taken > 0 then
        if not byId[credit.id] then
          byId[credit.id] = { id = credit.id, till = credit.till, t = 0, n = 0 }
          draws[#draws + 1] = byId[credit.id]
        end
        local one = byId[credit.id]
        one[unit], credit['l' .. unit], need = one[unit] + taken, credit['l' .. unit] - taken, need - taken
        credits[it.name].changed = true
      end
    end
  end
  table.sort(draws, sooner)
  local rest = {}
  for _, credit in ipairs(credits[it.name].list) do
    if credit.lt > 0 or credit.ln > 0 then rest[#rest + 1] = credit end
  end
  credits[it.name].list = rest
  return draws
end

-- Holds an amount in all accounts; what credits pay of it is noted with the reservation, which has them where any does.
local function hold(it, found, capacities, amount)
  for at, one in ipairs(found) do
    if #live(one.name) > 0 then
      it.draws = it.draws or {}
      for place = 1, #found do it.draws[place] = it.draws[place] or {} end
      local before, after = NOTHING, NOTHING
      for _, draw in ipairs(it.draws[at]) do before = plus(before, draw) end
      it.draws[at] = draw(one, capacities[at], amount, it.draws[at])
      for _, draw in ipairs(it.draws[at]) do after = plus(after, draw) end
      one.drawn = plus(one.drawn, minus(after, before))
    end
    one.held, one.changed = plus(one.held, amount), true
  end
end
`

import { OPENING, script } from './script.js'

/** Steps a window is kept in: events of one step share an entry. Up to a minute a step is a millisecond, so exact. */
const STEPS = 60_000

/** Keys live a little longer than their window or lease: the server's clock need not go as the gateways' do. */
export const SLACK_MS = 5_000

/**
 * Sliding windows: `rate:KEY` has what happened by time (members are NUMBER:COST), `sum:KEY` what it comes to and the last
 * number. Both end with their window.
 */
const WINDOWS = `
local now = number()

local function costOf(member) return tonumber(member:match(':(.+)$')) end

local function summed(key) return tonumber(redis.call('HGET', P .. 'sum:' .. key, 'sum') or 0) end

-- Drops what is no longer in the window, and returns what is left.
local function sumOf(key, windowMs)
  local log, total = P .. 'rate:' .. key, P .. 'sum:' .. key
  -- A clock that was set back must not keep what happened "later" for longer than a window.
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', log, '(' .. text(now), '+inf')) do
    redis.call('ZADD', log, text(now), member)
  end
  local sum = summed(key)
  local gone = redis.call('ZRANGEBYSCORE', log, '-inf', text(now - windowMs))
  if #gone > 0 then
    for _, member in ipairs(gone) do sum = sum - costOf(member) end
    redis.call('ZREMRANGEBYSCORE', log, '-inf', text(now - windowMs))
    redis.call('HSET', total, 'sum', text(sum))
  end
  return sum
end

local function note(key, cost, windowMs)
  local log, total = P .. 'rate:' .. key, P .. 'sum:' .. key
  local step = math.ceil(windowMs / ${STEPS})
  local sum = summed(key) + cost
  local last = redis.call('ZRANGE', log, '-1', '-1', 'WITHSCORES')
  if last[1] and math.floor(tonumber(last[2]) / step) == math.floor(now / step) then
    redis.call('ZREM', log, last[1])
    cost = cost + costOf(last[1])
  end
  redis.call('ZADD', log, text(now), text(redis.call('HINCRBY', total, 'number', '1')) .. ':' .. text(cost))
  redis.call('HSET', total, 'sum', text(sum))
  redis.call('PEXPIRE', log, text(windowMs + ${SLACK_MS}))
  redis.call('PEXPIRE', total, text(windowMs + ${SLACK_MS}))
end

-- Milliseconds until at most so much is left in the window; a whole window where that can never be.
local function waitFor(key, sum, most, windowMs)
  local from = 0
  while most >= 0 do
    local page = redis.call('ZRANGE', P .. 'rate:' .. key, from, from + 99, 'WITHSCORES')
    if #page == 0 then break end
    for at = 1, #page, 2 do
      sum = sum - costOf(page[at])
      if sum <= most then return tonumber(page[at + 1]) + windowMs - now end
    end
    from = from + 100
  end
  return windowMs
end
`

/** `RateStore.take`. Looks at every window before it takes from any. */
export const TAKE = script(
  '',
  OPENING,
  WINDOWS,
  `
local asks, worst = {}, nil
for at = 1, number() do
  local ask = { key = word(), limit = number(), windowMs = number(), cost = number(), mayPass = word() ~= '' }
  asks[at] = ask
  local sum, needed = sumOf(ask.key, ask.windowMs), ask.mayPass and 1 or math.max(ask.cost, 1)
  if sum + needed > ask.limit then
    local wait = waitFor(ask.key, sum, ask.limit - needed, ask.windowMs)
    if not worst or wait > worst.wait then worst = { key = ask.key, wait = wait } end
  end
end
if not worst then
  for _, ask in ipairs(asks) do
    if ask.cost > 0 then note(ask.key, ask.cost, ask.windowMs) end
  end
end
local windows = {}
for at, ask in ipairs(asks) do
  local last = redis.call('ZRANGE', P .. 'rate:' .. ask.key, '-1', '-1', 'WITHSCORES')
  local reset = last[2] and tonumber(last[2]) + ask.windowMs - now or 0
  windows[at] = { text(math.max(0, ask.limit - summed(ask.key))), text(reset) }
end
if worst then return say('wait', worst.key, text(worst.wait), windows) end
return say('ok', text(now), windows)
`,
)

/** `RateStore.add`. */
export const ADD = script(
  '',
  OPENING,
  WINDOWS,
  `
local key, cost, windowMs = word(), number(), number()
sumOf(key, windowMs)
note(key, cost, windowMs)
return say('ok')
`,
)

/** `RateStore.giveBack`; `now` is the moment that was told. */
export const GIVE_BACK = script(
  'allow-oom',
  OPENING,
  WINDOWS,
  `
local key, cost, windowMs = word(), number(), number()
local log = P .. 'rate:' .. key
local step = math.ceil(windowMs / ${STEPS})
local ends = (math.floor(now / step) + 1) * step
local taken = redis.call('ZREVRANGEBYSCORE', log, '(' .. text(ends), text(now), 'WITHSCORES', 'LIMIT', '0', '1')
if taken[1] then
  local had = costOf(taken[1])
  local back = math.min(cost, had)
  redis.call('ZREM', log, taken[1])
  redis.call('ZADD', log, taken[2], taken[1]:match('^(.+):') .. ':' .. text(had - back))
  redis.call('HSET', P .. 'sum:' .. key, 'sum', text(summed(key) - back))
end
return say('ok')
`,
)

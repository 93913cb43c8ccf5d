import { OPENING, script } from './script.js'

/** Steps a window is kept in: events of one step share an entry. Up to a minute a step is a millisecond, so exact. */
const STEPS = 60_000

/** Keys live a little longer than their window by the server's clock, which need not be the gateways'. */
const SLACK_MS = 5_000

/**
 * Sliding windows: `rate:KEY` has what happened by time (members are NUMBER:COST), `sum:KEY` what it comes to and the last
 * number. Both end with their window.
 */
const WINDOWS = `
local now = number()

local function costOf(member) return tonumber(member:match(':(.+)$')) end

-- Drops what is no longer in the window, and returns what is left.
local function sumOf(key, windowMs)
  local log, total = P .. 'rate:' .. key, P .. 'sum:' .. key
  -- A clock that was set back must not keep what happened "later" for longer than a window.
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', log, '(' .. text(now), '+inf')) do
    redis.call('ZADD', log, text(now), member)
  end
  local sum = tonumber(redis.call('HGET', total, 'sum') or 0)
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
  local sum = tonumber(redis.call('HGET', total, 'sum') or 0) + cost
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
  local ask = { key = word(), limit = number(), windowMs = number(), cost = number() }
  asks[at] = ask
  local sum, least = sumOf(ask.key, ask.windowMs), math.max(ask.cost, 1)
  if sum + least > ask.limit then
    local wait = waitFor(ask.key, sum, ask.limit - least, ask.windowMs)
    if not worst or wait > worst.wait then worst = { key = ask.key, wait = wait } end
  end
end
if worst then return say('wait', worst.key, text(worst.wait)) end
for _, ask in ipairs(asks) do
  if ask.cost > 0 then note(ask.key, ask.cost, ask.windowMs) end
end
return say('ok')
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

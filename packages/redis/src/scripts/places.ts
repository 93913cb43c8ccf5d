import { SLACK_MS } from './rates.js'
import { OPENING, script } from './script.js'

/** What runs at the same time: `place:KEY` has who is in by the end of his lease. */
const PLACES = `
local function lives(room, ms)
  if redis.call('PTTL', room) < ms then redis.call('PEXPIRE', room, text(ms)) end
end
`

/** `RateStore.enter`. Who did not renew is only looked for where the room is full. */
export const ENTER = script(
  '',
  OPENING,
  PLACES,
  `
local now, leaseMs, id = number(), number(), word()
local rooms = {}
for at = 1, number() do
  local key, limit = word(), number()
  local room = P .. 'place:' .. key
  rooms[at] = room
  if not redis.call('ZSCORE', room, id) and redis.call('ZCARD', room) >= limit then
    redis.call('ZREMRANGEBYSCORE', room, '-inf', text(now))
    if redis.call('ZCARD', room) >= limit then return say('full', key) end
  end
end
for _, room in ipairs(rooms) do
  redis.call('ZADD', room, text(now + leaseMs), id)
  lives(room, leaseMs + ${SLACK_MS})
end
return say('ok')
`,
)

/** `RateStore.stay`. */
export const STAY = script(
  'allow-oom',
  OPENING,
  PLACES,
  `
local now, leaseMs = number(), number()
for _ = 1, number() do
  local id = word()
  for _ = 1, number() do
    local room = P .. 'place:' .. word()
    redis.call('ZADD', room, 'XX', text(now + leaseMs), id)
    lives(room, leaseMs + ${SLACK_MS})
  end
end
return say('ok')
`,
)

/** `RateStore.leave`. */
export const LEAVE = script(
  'allow-oom',
  OPENING,
  `
local id = word()
for _ = 1, number() do redis.call('ZREM', P .. 'place:' .. word(), id) end
return say('ok')
`,
)

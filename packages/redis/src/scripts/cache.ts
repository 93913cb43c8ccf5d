import { OPENING, script } from './script.js'

/** `CacheStore.get`; the entry is the root itself, so that entries are spread over a cluster. */
export const GET = script(
  'no-writes',
  OPENING,
  `
return say('got', redis.call('GET', P) or '')
`,
)

/** `CacheStore.put`. */
export const PUT = script(
  '',
  OPENING,
  `
redis.call('SET', P, word(), 'PX', word())
return say('put')
`,
)

/** `CacheStore.putIfAbsent`: what stood there, or ''. */
export const PUT_IF_ABSENT = script(
  '',
  OPENING,
  `
local stands = redis.call('GET', P)
if stands then return say('stands', stands) end
redis.call('SET', P, word(), 'PX', word())
return say('stands', '')
`,
)

/** `CacheStore.delete`. */
export const DELETE = script(
  'allow-oom',
  OPENING,
  `
redis.call('DEL', P)
return say('deleted')
`,
)

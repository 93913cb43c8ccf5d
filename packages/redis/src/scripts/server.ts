import { OPENING, script } from './script.js'

/** What the server says of itself; scripts may ask, so that in a cluster it is the node that has the keys. */
export const INSPECT = script(
  'no-writes',
  OPENING,
  `
local function field(section, name)
  return redis.call('INFO', section):match(name .. ':([^%c]+)') or ''
end
return say('server', field('server', 'redis_version'), field('memory', 'maxmemory_policy'), field('persistence', 'aof_enabled'))
`,
)

/** Founds the ledger, or says which version of it is there. */
export const FOUND = script(
  '',
  OPENING,
  `
redis.call('SET', P, word(), 'NX')
return say('schema', redis.call('GET', P))
`,
)

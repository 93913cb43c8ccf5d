import { isWhole } from '../amount.js'
import { isSlipOf } from '../config/suggest.js'
import { HooshError } from '../errors.js'
import { compileGlob } from '../glob.js'
import type { Identity } from '../options.js'

/** An identity that has been looked over once, as the engine uses it. */
export interface Caller {
  readonly identity: Identity
  readonly user: string
  /** At least one, each once, in the order of the identity. */
  readonly pools: readonly string[]
  /** Pools among them of the runs that he calls in; null where he calls in none. */
  readonly runs: readonly string[] | null
  readonly admin: boolean
  /** Whether one of the identity's patterns matches; true where it has none. */
  mayUse(model: string): boolean
  /** The same of the tools that it may give a model. */
  mayGive(tool: string): boolean
}

/** Stands for the caller on routes for anyone. Whoever asks it for more is told that nobody is known. */
export const NOBODY: Caller = {
  get identity(): never {
    throw new HooshError('unauthenticated')
  },
  get user(): never {
    throw new HooshError('unauthenticated')
  },
  get pools(): never {
    throw new HooshError('unauthenticated')
  },
  runs: null,
  admin: false,
  mayUse: () => false,
  mayGive: () => false,
}

/** The pool of an identity that names none. */
const DEFAULT_POOL = 'default'
/** Characters of a user, a pool, a role. */
const MAX_NAME = 256
// Control characters break log lines and Postgres texts; half a surrogate pair has no UTF-8.
export const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u
/**
 * What a host says, and must not misspell. `metadata` is not among them: a user record may well have a `metaData` of its own, and
 * where ours is absent nobody may do or spend more.
 */
const FIELDS = ['user', 'pool', 'roles', 'models', 'tools', 'limits', 'priority'] as const
/** A word of many hosts' own, and one that gives nobody more than he has. */
const NO_SLIP = 'role'
const LIMITS = ['requestsPerMinute', 'tokensPerMinute', 'concurrent', 'weight'] as const
const PRIORITIES: readonly unknown[] = ['critical', 'high', 'normal', 'low', 'background']

/**
 * Checks what a host says about a caller. An empty list of pools means `default` like an absent one: nobody calls free
 * of charge because a user is in no team yet. Fields of the host's own may stand beside ours, but none that is one of
 * ours misspelt whose absence would mean `default`, or everything.
 *
 * @throws HooshError `identify_failed`, whose cause names the field for the log
 */
export function normalise(identity: Identity): Caller {
  if (typeof identity !== 'object' || Array.isArray(identity)) throw unusable('', 'an object with a `user`', identity)
  checkSpelling(identity, FIELDS)
  const { user, pool = [], roles = [], models, tools, limits, priority, metadata } = identity
  checkName('user', user)
  const named = typeof pool === 'string' ? [pool] : pool
  checkNames('pool', named)
  checkNames('roles', roles)
  checkNames('models', models ?? [])
  checkNames('tools', tools ?? [])
  if (limits !== undefined) checkLimits(limits)
  if (priority !== undefined && !PRIORITIES.includes(priority)) {
    throw unusable('`priority`', `one of ${PRIORITIES.join(', ')}`, priority)
  }
  if (metadata !== undefined) checkMetadata(metadata)
  if (identity.credential?.limits !== undefined) checkLimits(identity.credential.limits)
  return {
    identity,
    user,
    pools: named.length === 0 ? [DEFAULT_POOL] : named.length === 1 ? named : [...new Set(named)],
    runs: null,
    admin: roles.includes('admin'),
    mayUse: (model) => fits(models, model),
    mayGive: (tool) => fits(tools, tool),
  }
}

/** What is wrong with an identity that is known before anybody calls; null where it can be used. */
export function identityFault(identity: Identity): string | null {
  try {
    normalise(identity)
    return null
  } catch (thrown) {
    return ((thrown as HooshError).cause as TypeError).message
  }
}

function fits(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => compileGlob(pattern).test(name))
}

function checkObject(field: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw unusable(`\`${field}\``, 'an object', value)
}

function checkSpelling(given: object, known: readonly string[], prefix = ''): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name) || name === NO_SLIP) continue
    const meant = known.find(
      (field) => isSlipOf(name, field) && (given as Record<string, unknown>)[field] === undefined,
    )
    if (meant === undefined) continue
    throw unusableIdentity(`An identity has no field \`${prefix}${name}\`; did you mean \`${prefix}${meant}\`?`)
  }
}

function checkName(field: string, value: unknown): void {
  if (typeof value !== 'string' || value === '' || value.length > MAX_NAME || UNPRINTABLE.test(value)) {
    throw unusable(`\`${field}\``, `a text of 1 to ${MAX_NAME} printable characters`, value)
  }
}

function checkNames(field: string, values: unknown): void {
  if (!Array.isArray(values)) throw unusable(`\`${field}\``, 'an array of texts', values)
  for (const value of values) checkName(field, value)
}

function checkLimits(limits: object): void {
  checkObject('limits', limits)
  checkSpelling(limits, LIMITS, 'limits.')
  for (const name of LIMITS) {
    const value = (limits as Record<string, unknown>)[name]
    if (value !== undefined && !isWhole(value)) {
      throw unusable(`\`limits.${name}\``, 'an integer of 0 or more', value)
    }
  }
}

function checkMetadata(metadata: object): void {
  checkObject('metadata', metadata)
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw unusable(`\`metadata.${name}\``, 'a text', value)
  }
}

/** The value itself stays out of it: it may be a whole user record. */
function unusable(field: string, expected: string, value: unknown): HooshError {
  const named = field === '' ? 'The identity' : `The identity's ${field}`
  return unusableIdentity(`${named} has to be ${expected}; it is ${kindOf(value)}.`)
}

/** A fault of the host's own: `why` is for its log, callers are told that there is one. */
export function unusableIdentity(why: string): HooshError {
  return new HooshError('identify_failed', {
    message: 'What the host app says about this caller cannot be used; its log says why.',
    cause: new TypeError(why),
  })
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'string' ? `a text of ${value.length} characters` : `of type ${typeof value}`
}

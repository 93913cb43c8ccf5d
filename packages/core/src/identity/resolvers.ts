import { hash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { checkShape } from '../config/check.js'
import { type Every, fields } from '../config/option-kinds.js'
import { HooshError } from '../errors.js'
import type { Identify, Identity } from '../options.js'
import { ask } from './ask.js'
import { identityFault, unusableIdentity } from './caller.js'
import { bearerIn, recordIn } from './request-facts.js'

/** A field of the host's user record, by name (dots are part of it) or worked out. */
export type Field<Value> = string | ((user: Readonly<Record<string, unknown>>) => Value)

/** Where an identity's parts stand in a user record or in a token's claims. */
export interface FieldOptions {
  /** Of texts and integers, and of objects that have a text of their own (MongoDB's ids). */
  user?: Field<unknown>
  /** No roles unless said: a host's own `admin` need not be hoosh's. */
  roles?: Field<string | readonly string[] | null | undefined>
  /** `default` unless said, or where the field holds null; a user without the field is refused. */
  pool?: Field<string | readonly string[] | null | undefined>
}

/**
 * The user that Passport, or any login that sets `req.user`, has found. `user` is its `id` by default.
 *
 * @throws HooshError `invalid_options`
 */
export function fromReqUser(options: FieldOptions = {}): Identify<unknown> {
  checkFields(options, 'fromReqUser')
  return (request) => identityOf(recordIn(request, 'user'), { user: 'id', ...options })
}

/**
 * The claims of a token that express-jwt, express-oauth2-jwt-bearer (`req.auth`) or koa-jwt (`ctx.state.user`) has
 * verified; hoosh verifies none itself. `user` is the claim `sub` by default.
 *
 * @throws HooshError `invalid_options`
 */
export function fromJwt(options: FieldOptions = {}): Identify<unknown> {
  checkFields(options, 'fromJwt')
  return (request) => {
    const auth = recordIn(request, 'auth')
    // A decoded token with its parts, rather than bare claims, one of which may be named `payload`.
    const parts = auth !== null && recordIn(auth, 'header') !== null ? recordIn(auth, 'payload') : null
    return identityOf(parts ?? auth ?? recordIn(recordIn(request, 'state'), 'user'), { user: 'sub', ...options })
  }
}

/**
 * Fixed tokens, each with its identity, sent as `Authorization: Bearer ...`. Digests are compared in constant time, all
 * of them on every call, so this is for a handful.
 *
 * @throws HooshError `invalid_options` for a token that is empty (an unset variable, say) or there twice, or whose identity
 *   cannot be used
 */
export function bearerTokens(
  entries: readonly (Identity & { token: string })[],
): (request: unknown) => Identity | null {
  if (!Array.isArray(entries)) throw notTaken('bearerTokens', 'a list: `bearerTokens([{ token, user }])`')
  const known: { digest: Buffer; identity: Identity }[] = []
  for (const [index, entry] of entries.entries()) {
    if (typeof entry !== 'object' || entry === null) throw badToken(index, 'has to be an object: `{ token, user }`.')
    const { token, ...identity } = entry
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      throw badToken(index, 'has to be a text without spaces; is its environment variable set?')
    }
    const digest = digestOf(token)
    if (known.some((entry) => entry.digest.equals(digest))) throw badToken(index, 'is there twice.')
    const fault = identityFault(identity)
    if (fault !== null) throw badToken(index, `cannot be used. ${fault}`)
    known.push({ digest, identity })
  }
  return (request) => {
    const token = bearerIn(request)
    if (token === null) return null
    const digest = digestOf(token)
    let found: Identity | null = null
    for (const entry of known) {
      if (timingSafeEqual(entry.digest, digest)) found = entry.identity
    }
    return found
  }
}

/**
 * The first of several resolvers that knows the caller. One that throws ends the search: a store that is down is no 401.
 *
 * @throws HooshError `invalid_options` for one that is no function
 */
export function firstOf<Request>(...resolvers: readonly Identify<Request>[]): Identify<Request> {
  const index = resolvers.findIndex((resolver) => typeof resolver !== 'function')
  if (index !== -1) {
    const given =
      resolvers[index] === null ? 'null' : Array.isArray(resolvers[index]) ? 'a list' : typeof resolvers[index]
    throw notTaken('firstOf', `resolvers one by one, \`firstOf(a, b)\`; the one at ${index} is ${given}`)
  }
  return async (request, gateway) => {
    for (const resolver of resolvers) {
      const identity = await ask(() => resolver(request, gateway))
      if (identity !== null) return identity
    }
    return null
  }
}

function identityOf(user: Readonly<Record<string, unknown>> | null, options: FieldOptions): Identity | null {
  if (user === null) return null
  const id = picked(user, options, 'user')
  const roles = picked(user, options, 'roles')
  const pool = picked(user, options, 'pool')
  // `normalise` judges the parts; here they are only put in their places.
  return {
    user: textOf(id) as string,
    ...(roles != null && { roles: (typeof roles === 'string' ? [roles] : roles) as readonly string[] }),
    ...(pool != null && { pool: pool as string | readonly string[] }),
  }
}

/** A field that is not there at all is a slip of its name, except of roles: who has none has none. */
function picked(user: Readonly<Record<string, unknown>>, options: FieldOptions, part: keyof FieldOptions): unknown {
  const field = options[part]
  if (typeof field === 'function') return field(user)
  if (field === undefined) return undefined
  if (user[field] !== undefined || part === 'roles') return user[field]
  throw unusableIdentity(
    `What the login found has no field \`${field}\`, which \`${part}\` is read from. Name the right one; where some users lack it, give a function.`,
  )
}

/** An integer or an object with a text of its own as that text; anything else as it is. */
function textOf(id: unknown): unknown {
  if (Number.isSafeInteger(id) || typeof id === 'bigint') return String(id)
  if (typeof id !== 'object' || id === null || Array.isArray(id)) return id
  const text = String(id)
  return text.startsWith('[object ') ? id : text
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer')
}

const field = z
  .custom(
    (value) => typeof value === 'function' || (typeof value === 'string' && value !== ''),
    'has to be the name of a field, or a function',
  )
  .optional()
const fieldOptions = fields({ user: field, roles: field, pool: field } satisfies Every<FieldOptions>)

function checkFields(options: FieldOptions, resolver: string): void {
  checkShape(fieldOptions, options, `\`${resolver}\`'s argument`, ` of \`${resolver}\``)
}

function notTaken(resolver: string, what: string): HooshError {
  return new HooshError('invalid_options', { message: `\`${resolver}\` takes ${what}.` })
}

function badToken(index: number, what: string): HooshError {
  return new HooshError('invalid_options', { message: `\`bearerTokens\`: the token at ${index} ${what}` })
}

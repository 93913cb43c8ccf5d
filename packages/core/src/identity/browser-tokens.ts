import { checkShape } from '../config/check.js'
import { type Every, fields, fn } from '../config/option-kinds.js'
import type { Identify, Identity } from '../options.js'
import type { Awaitable } from '../time.js'
import { isBrowserToken } from './browser-token.js'
import { bearerIn, headerIn } from './request-facts.js'
import { askedBy } from './virtual-keys.js'

/** What the host adds to what a token says. */
export interface BrowserTokenRules<Request> {
  /** Whether a token may still be used; asked with each request. */
  allow?(identity: Identity, request: Request): Awaitable<boolean>
}

const tokenRules = fields({ allow: fn.optional() } satisfies Every<BrowserTokenRules<unknown>>)

/**
 * Tokens that `req.hoosh.browserToken()` has made, sent by a page as `Authorization: Bearer hooshweb_...`. Nobody for any
 * other token, so that `firstOf(browserTokens(), ...)` goes on.
 *
 * @throws HooshError `invalid_options`; when a request comes: the same where no gateway was handed on
 */
export function browserTokens<Request = unknown>(rules: BrowserTokenRules<Request> = {}): Identify<Request> {
  checkShape(tokenRules, rules, "`browserTokens`'s argument", ' of `browserTokens`')
  return async (request, gateway) => {
    const text = bearerIn(request)
    if (text === null || !isBrowserToken(text)) return null
    const identity = await askedBy(gateway, 'browserTokens').credentials.browserToken(text, {
      origin: headerIn(request, 'origin'),
      host: headerIn(request, 'host'),
      site: headerIn(request, 'sec-fetch-site'),
    })
    if (identity === null || rules.allow === undefined) return identity
    return (await rules.allow(identity, request)) ? identity : null
  }
}

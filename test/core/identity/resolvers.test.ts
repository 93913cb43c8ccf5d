import { bearerTokens, browserTokens, firstOf, fromJwt, fromReqUser, virtualKeys } from '@hoosh/core'
import { describe, expect, it } from 'vitest'

const known = () => ({ user: 'ada' })

describe('a resolver', () => {
  it.each<[string, () => unknown, string]>([
    ['a field with a slip', () => fromReqUser({ pools: 'team' } as never), 'did you mean "pool"?'],
    ['the name of a field alone', () => fromReqUser('id' as never), "`fromReqUser`'s argument has to be an object"],
    [
      'a field that is neither name nor function',
      () => fromJwt({ roles: ['a'] } as never),
      'roles of `fromJwt` has to be',
    ],
    ['one token without a list', () => bearerTokens({ token: 'a' } as never), '`bearerTokens` takes a list'],
    ['nothing for a token', () => bearerTokens([null] as never), 'at 0 has to be an object'],
    [
      'a token whose pool is misspelt',
      () => bearerTokens([{ token: 'a', user: 'b', pools: 'c' } as never]),
      'did you mean `pool`?',
    ],
    [
      'a token of nobody',
      () => bearerTokens([{ token: 'a' } as never]),
      "at 0 cannot be used. The identity's `user` has to be",
    ],
    ['resolvers as a list', () => firstOf([known] as never), '`firstOf` takes resolvers one by one'],
    ['what a resolver was called with', () => firstOf(known, null as never), 'the one at 1 is null'],
    ['a rule with a slip', () => virtualKeys({ alow: () => false } as never), 'did you mean "allow"?'],
    [
      'a rule that is none',
      () => browserTokens({ allow: false } as never),
      'allow of `browserTokens` has to be a function',
    ],
  ])('refuses %s when it is made', (_what, make, says) => {
    expect(make).toThrow(expect.objectContaining({ code: 'invalid_options', message: expect.stringContaining(says) }))
  })
})

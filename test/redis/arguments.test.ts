import { type RedisClient, redisStorage } from '@hoosh/redis'
import { describe, expect, it } from 'vitest'

const faults = (says: RegExp) =>
  expect.objectContaining({ name: 'HooshError', code: 'invalid_options', message: expect.stringMatching(says) })

describe('redisStorage', () => {
  it.each<[string, unknown, RegExp]>([
    ['an address', 'redis://:hunter2@localhost', /`new Redis\(url\)`.*a text/],
    ['nothing', undefined, /undefined/],
    ['null', null, /null/],
    ['options of a client', { url: 'redis://localhost' }, /`new Redis\(url\)` of ioredis/],
    ['another library’s client', { get() {}, eval() {} }, /`createClient/],
  ])('takes no %s, and says what to give', (_what, given, says) => {
    expect(() => redisStorage(given as RedisClient)).toThrow(faults(says))
    expect(() => redisStorage(given as RedisClient)).not.toThrow(/hunter2/)
  })

  it('takes no options that are none', () => {
    const client = { eval: async () => null, evalsha: async () => null }
    expect(() => redisStorage(client, 'app' as never)).toThrow(faults(/options.*an object/))
    expect(redisStorage(client).describe).toBe('redis')
  })

  it('takes no option that is none, and says which it was', () => {
    const client = { eval: async () => null, evalsha: async () => null }
    const given = (options: object) => () => redisStorage(client, options)
    expect(given({ prefx: 'ai' })).toThrow(faults(/redisStorage has no option "prefx"; did you mean "prefix"\?/))
    expect(given({ keyPrefix: 'ai' })).toThrow(faults(/"keyPrefix"; did you mean "prefix"\?/))
    expect(given({ keepMs: 60_000, ttl: 1 })).toThrow(faults(/no option "ttl"; it knows prefix, allowVolatile, keepMs/))
  })
})

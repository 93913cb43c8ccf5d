import { ERRORS, type HooshError } from '@hoosh/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bodyInMemory, parsedBody } from '../../../packages/core/src/http/body.js'
import { readJson } from '../../../packages/core/src/http/json-body.js'

const LIMIT = 20 * 1024 * 1024

function request(body: string | Uint8Array, headers: Record<string, string> = {}) {
  const all: Record<string, string> = { 'content-type': 'application/json', ...headers }
  return { header: (name: string) => all[name], body: bodyInMemory(body) }
}

const parsed = (value: unknown) => ({ ...request(''), body: parsedBody(value) })

async function refusal(reading: Promise<unknown>): Promise<Pick<HooshError, 'code' | 'message'> & { param?: string }> {
  const error = await reading.then(
    () => expect.unreachable('the body was accepted'),
    (thrown: HooshError) => thrown,
  )
  const { code, message, details } = error
  return { code, message, ...(details.param !== undefined && { param: details.param }) }
}

describe('the headers of a JSON body', () => {
  it.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
  ])('accepts %s', async (type) => {
    expect(await readJson(request('{"a":1}', { 'content-type': type }), LIMIT)).toMatchObject({ value: { a: 1 } })
  })

  it.each([
    'text/plain',
    '',
    'application/jsonp',
    'application/json; charset=latin1',
    'application/json; charset=utf-16',
  ])('refuses the type "%s" with 415 and says which one to send', async (type) => {
    const { code, message } = await refusal(readJson(request('{}', { 'content-type': type }), LIMIT))
    expect(ERRORS[code][0]).toBe(415)
    expect(message).toContain('content-type: application/json')
  })

  it.each(['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip'])(
    'refuses the encoding %s unread, and not where the host has undone it',
    async (encoding) => {
      const headers = { 'content-encoding': encoding }
      const unread = { ...request('', headers), body: { bytes: () => expect.unreachable() } }
      expect(await refusal(readJson(unread, LIMIT))).toMatchObject({ code: 'unsupported_media_type' })
      expect(await readJson(request('{}', headers), LIMIT)).toMatchObject({ value: {} })
      expect(await readJson({ ...unread, body: parsedBody({}) }, LIMIT)).toMatchObject({ value: {} })
    },
  )
})

describe('the text of a JSON body', () => {
  it('gives the value and the very bytes that came', async () => {
    const bytes = Buffer.from('{ "messages" : [{"content":"h\\u00e9 \\"x\\" \\\\"}] }')
    const read = await readJson(request(bytes), LIMIT)
    expect(read.value).toEqual({ messages: [{ content: 'hé "x" \\' }] })
    expect(read.bytes).toBe(bytes)
  })

  it('drops a byte order mark from both', async () => {
    const read = await readJson(request('\ufeff{"a":1}'), LIMIT)
    expect(read.value).toEqual({ a: 1 })
    expect(Buffer.from(read.bytes!).toString()).toBe('{"a":1}')
  })

  it.each([
    ['', 'invalid_json', 'empty'],
    ['{"a":', 'invalid_json', 'not valid JSON'],
    ['{"a":1,}', 'invalid_json', 'position 7'],
    ['[{}]', 'invalid_request', 'no JSON object'],
    ['"x"', 'invalid_request', 'no JSON object'],
    ['null', 'invalid_request', 'no JSON object'],
  ])('refuses %j as %s and says why', async (body, code, reason) => {
    const refused = await refusal(readJson(request(body), LIMIT))
    expect(refused.code).toBe(code)
    expect(refused.message).toContain(reason)
  })

  it('refuses what is not UTF-8 instead of replacing it', async () => {
    for (const bytes of [
      [0x7b, 0xff, 0x7d],
      [0xfe, 0xff, 0, 0x7b],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(await refusal(readJson(request(Uint8Array.from(bytes)), LIMIT))).toMatchObject({ code: 'invalid_json' })
    }
  })

  it('repeats nothing of the body in a message about its syntax', async () => {
    expect((await refusal(readJson(request('{"secret-word" x}'), LIMIT))).message).not.toContain('secret')
  })

  it.each([
    ['{"a":1,"b":2,"a":3}', 'a'],
    ['{"max_tokens":1,"max\\u005ftokens":999999}', 'max_tokens'],
    ['{"":1,"x":[{"a":1}],"":2}', ''],
    ['{"x":{"a":1,"a":2}}', 'x.a'],
    ['{"x":[1,{"y":"a,b"},{"a":{"b":1},"c":[[],[2]],"\\u0061":[]}],"x2":0}', 'x.2.a'],
    ['{"messages":[{"role":"user","content":"one","content":"two"}]}', 'messages.0.content'],
  ])('refuses %s, whose members are there twice', async (body, param) => {
    expect(await refusal(readJson(request(body), LIMIT))).toMatchObject({ code: 'invalid_request', param })
  })

  it('accepts one name in objects side by side and within each other', async () => {
    const body = '{"a":{"a":{"a":":"}},"b":[{"a":1},{"a":{"b":2}}]}'
    expect((await readJson(request(body), LIMIT)).value).toEqual(JSON.parse(body))
  })

  it.each([
    ['{"__proto__":{"admin":true}}', '__proto__'],
    ['{"a":[{"\\u005f_proto__":1}]}', 'a.0.__proto__'],
    ['{"a":{"constructor":{"prototype":{}}}}', 'a.constructor'],
    ['{"n":1e400}', 'n'],
    ['{"messages":[{"x":[1,-1e999]}]}', 'messages.0.x.1'],
  ])('refuses %s at %s', async (body, param) => {
    expect(await refusal(readJson(request(body), LIMIT))).toMatchObject({ code: 'invalid_request', param })
    expect(await refusal(readJson(parsed(JSON.parse(body)), LIMIT))).toMatchObject({ code: 'invalid_request', param })
    expect(({} as { admin?: unknown }).admin).toBeUndefined()
  })

  it('accepts these words where they are text or harmless', async () => {
    const body = '{"content":"__proto__ 1e400","constructor":"prototype","prototype":{"constructor":1}}'
    expect(Object.keys((await readJson(request(body), LIMIT)).value)).toHaveLength(3)
  })

  it('cuts the name of a place short before it gets into a message', async () => {
    const { message, param } = await refusal(readJson(request(`{"${'k'.repeat(100_000)}":1e400}`), LIMIT))
    expect(param!.length).toBeLessThan(250)
    expect(message.length).toBeLessThan(350)
  })
})

describe('the limits of a JSON body', () => {
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

  it('takes 64 levels and no more, parsed or not', async () => {
    await readJson(request(nested(64)), LIMIT)
    await readJson(parsed(JSON.parse(nested(64))), LIMIT)
    expect(await refusal(readJson(request(nested(65)), LIMIT))).toMatchObject({ code: 'invalid_request' })
    expect(await refusal(readJson(parsed(JSON.parse(nested(65))), LIMIT))).toMatchObject({ code: 'invalid_request' })
  })

  it.each([
    ['a million open arrays', '['.repeat(1_000_000)],
    ['a million nested objects', nested(1_000_000)],
    ['a million arrays in a field', `{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`],
    ['a million keys', `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":0`).join()}}`],
    ['ten thousand and one keys', `{${Array.from({ length: 10_001 }, (_, i) => `"k${i}":0`).join()}}`],
    ['a million elements', `{"a":[${'0,'.repeat(1_000_000)}0]}`],
  ])('refuses %s', async (_name, body) => {
    expect(await refusal(readJson(request(body), LIMIT))).toMatchObject({ code: 'invalid_request' })
  })

  it('refuses a body that a host has parsed into a cycle', async () => {
    const loop: Record<string, unknown> = {}
    loop.loop = loop
    expect(await refusal(readJson(parsed(loop), LIMIT))).toMatchObject({ code: 'invalid_request' })
  })

  it('takes brackets, colons and quotes inside strings for text', async () => {
    const value = { a: `${'[{'.repeat(100)}\\"\\\\"${':,'.repeat(100)}`, b: '\\', 'c":': '"', d: ['\\"'] }
    expect((await readJson(request(JSON.stringify(value)), LIMIT)).value).toEqual(value)
  })

  it('accepts every object that is within the limits as JSON.parse does', async () => {
    const values = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }))
    await fc.assert(
      fc.asyncProperty(values, fc.constantFrom(undefined, 1, '\t'), async (value, space) => {
        const body = JSON.stringify(value, null, space)
        fc.pre(!body.includes('__proto__'))
        expect((await readJson(request(body), LIMIT)).value).toEqual(JSON.parse(body))
      }),
    )
  })

  it('refuses more bytes than allowed, and names the limit', async () => {
    const { code, message } = await refusal(readJson(request('{"a":"0123456789"}'), 10))
    expect(code).toBe('body_too_large')
    expect(message).toContain('10 bytes')
  })

  it.each([[[]], ['text'], [1], [new Map()]])('refuses %j from a parser of the host', async (value) => {
    expect(await refusal(readJson(parsed(value), LIMIT))).toMatchObject({ code: 'invalid_request' })
  })

  it('says where the bytes went if they are asked for after a parser', async () => {
    await expect(parsedBody({}).bytes(LIMIT)).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

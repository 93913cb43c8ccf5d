import type { DlpOptions, HooshOptions } from '@hoosh/core'
import { memoryCache } from '@hoosh/core/storage'
import { describe, expect, it } from 'vitest'
import { chat, door, errorOf, upstream, whoAnswered } from '../support/door.js'

const CARD = '4111 1111 1111 1111'
const MAIL = 'ada@example.org'
const say = (content: unknown) => ({ messages: [{ role: 'user', content }] })

/** A hosted and a local provider of every model, and what each was sent. */
async function homeAndAway(dlp: DlpOptions, options: HooshOptions = {}) {
  const [away, home] = [await upstream(), await upstream()]
  const to = await door({
    providers: [
      { type: 'openai', name: 'away', baseUrl: away.url, apiKey: 'sk-test', priority: 1 },
      { type: 'openai', name: 'home', baseUrl: home.url, local: true, priority: 2, models: ['m', 'at-home'] },
    ],
    dlp,
    ...options,
  })
  return { to, away, home }
}

const entries = async (to: Awaited<ReturnType<typeof door>>, event: string) => {
  const { body } = await to.get(`/v1/audit?event=${event}`)
  return (body as { entries: { message: string; metadata: Record<string, unknown> }[] }).entries
}

describe.each([false, true])('what a request holds (stream: %s)', (stream) => {
  it('goes anywhere where nothing is found', async () => {
    const { to } = await homeAndAway({})
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('away')
    expect((await entries(to, 'inference.request'))[0]?.metadata).toMatchObject({
      dlp_level: 'public',
      dlp_patterns: [],
    })
  })

  it('that is restricted is refused, and named but not quoted', async () => {
    const { to, away, home } = await homeAndAway({})
    const reply = await chat(to, 'm', { stream, ...say(`Charge ${CARD}, please.`) })
    expect(reply.status).toBe(403)
    expect(errorOf(reply)).toMatchObject({ code: 'content_blocked', type: 'permission_error' })
    expect(errorOf(reply).message).toContain('credit_card')
    expect([...away.requests, ...home.requests]).toEqual([])
    const [refused] = await entries(to, 'inference.refused')
    expect(refused?.metadata).toEqual({
      code: 'content_blocked',
      dlp_level: 'restricted',
      dlp_patterns: ['credit_card'],
    })
    // Ids and hashes may hold a few digits of it by chance.
    expect(JSON.stringify([reply.text, refused, to.events, to.logged])).not.toMatch(/4111\D?1111/)
    expect(to.events).toContainEqual({
      type: 'dlp.found',
      requestId: reply.headers.get('x-request-id'),
      user: 'alice',
      where: 'request',
      level: 'restricted',
      patterns: ['credit_card'],
    })
    expect((await to.get('/v1/metrics', { as: 'admin' })).text).toContain(
      'hoosh_dlp_findings_total{where="request",pattern="credit_card"} 1',
    )
  })

  it('that is confidential stays on local routes, and does not fail over to others', async () => {
    const { to, away, home } = await homeAndAway({})
    expect(whoAnswered(await chat(to, 'm', { stream, ...say('Call 555-867-5309.') }))).toBe('home')
    home.script({ status: 500 })
    const failed = await chat(to, 'm', { stream, ...say('Call 555-867-5309.') })
    expect(errorOf(failed).code).toBe('provider_error')
    expect(away.requests).toEqual([])
    expect((await entries(to, 'inference.request'))[0]?.metadata).toMatchObject({
      dlp_level: 'confidential',
      dlp_patterns: ['phone_us'],
    })
  })

  it('that is confidential is refused where no local route serves the model', async () => {
    const { to, away } = await homeAndAway({})
    const reply = await chat(to, 'far', { stream, ...say('Call 555-867-5309.') })
    expect(reply.status).toBe(403)
    expect(errorOf(reply).code).toBe('no_local_route')
    expect(errorOf(reply).message).toMatch(/phone_us.*"far".*routing\.fallbacks/)
    expect(away.requests).toEqual([])
  })

  it('that is confidential goes to a local fallback of the model', async () => {
    const { to } = await homeAndAway({}, { routing: { fallbacks: { far: ['at-home'] } } })
    expect(whoAnswered(await chat(to, 'far', { stream, ...say('Call 555-867-5309.') }))).toBe('home')
    expect(whoAnswered(await chat(to, 'far', { stream, fallbacks: ['m'] }))).toBe('away')
  })

  it('can be redacted: the provider and the hooks see the rest', async () => {
    const told: unknown[] = []
    const { to, away } = await homeAndAway(
      { builtIn: { credit_card: { action: 'redact' } } },
      { hooks: { beforeCall: ({ params }) => void told.push(params.messages) } },
    )
    const parts = [{ type: 'text', text: `It is ${CARD}.` }]
    expect(whoAnswered(await chat(to, 'm', { stream, ...say(parts) }))).toBe('away')
    const [sent] = away.requests
    expect(sent?.body).toMatchObject(say([{ type: 'text', text: 'It is [redacted credit_card].' }]))
    expect(JSON.stringify(told)).not.toContain('4111')
  })

  it('can be pseudonymised: the answer has the values again', async () => {
    const { to, away } = await homeAndAway({ actions: { internal: 'pseudonymise' } })
    away.script({ text: 'I wrote to [EMAIL-1] and to [EMAIL-2], not to [EMAIL-3].' })
    const reply = await chat(to, 'm', { stream, ...say(`Write to ${MAIL}, cc bob@example.org, bcc ${MAIL}.`) })
    expect(away.requests[0]?.body).toMatchObject(say('Write to [EMAIL-1], cc [EMAIL-2], bcc [EMAIL-1].'))
    expect(textOf(reply.text, stream)).toBe(`I wrote to ${MAIL} and to bob@example.org, not to [EMAIL-3].`)
    expect(JSON.stringify([to.events, to.logged, (await to.get('/v1/audit')).text])).not.toContain(MAIL)
  })

  it('gets stand-ins of their own where two names are written alike', async () => {
    const { to, away } = await homeAndAway({
      actions: { confidential: 'pseudonymise' },
      patterns: [
        { name: 'ref_a', pattern: /\bREF-\d{4}/ },
        { name: 'REF_A', pattern: /\bXX-\d{4}/ },
      ],
    })
    away.script({ text: '[REF-A-1], then [REF-A-2].' })
    const reply = await chat(to, 'm', { stream, ...say('REF-1234 and XX-9999, REF-1234') })
    expect(away.requests[0]?.body).toMatchObject(say('[REF-A-1] and [REF-A-2], [REF-A-1]'))
    expect(textOf(reply.text, stream)).toBe('REF-1234, then XX-9999.')
  })

  it('that was pseudonymised is kept nowhere, not even for an idempotency key', async () => {
    const kept: string[] = []
    const cache = memoryCache()
    const put: typeof cache.put = (key, value, ttlMs) => {
      kept.push(Buffer.from(value).toString())
      return cache.put(key, value, ttlMs)
    }
    const { to, away } = await homeAndAway(
      { actions: { internal: 'pseudonymise' } },
      { storage: { cache: { ...cache, put } } },
    )
    away.script({ text: 'Dear [EMAIL-1]' })
    const sending = { headers: { 'idempotency-key': 'once' } }
    const first = await chat(to, 'm', { stream, ...say(`I am ${MAIL}`) }, sending)
    expect(textOf(first.text, stream)).toBe(`Dear ${MAIL}`)
    expect(whoAnswered(await chat(to, 'm', { stream, ...say(`I am ${MAIL}`) }, sending))).toBe('idempotency_unknown')
    expect(away.requests).toHaveLength(1)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.join()).not.toContain(MAIL)
  })

  it('is found where it is a number or the name of a member', async () => {
    const { to, away } = await homeAndAway({ actions: { internal: 'redact' } })
    const metadata = { [MAIL]: 'x', n: 1 }
    await chat(to, 'm', { stream, metadata })
    expect(away.requests[0]?.body).toMatchObject({ metadata: { '[redacted email]': 'x', n: 1 } })
    const refused = await chat(to, 'm', { stream, metadata: { n: 4111111111111111 } })
    expect(whoAnswered(refused)).toBe('content_blocked')
  })

  it('cannot stand behind a second member of the same name', async () => {
    const { to, away, home } = await homeAndAway({})
    const body = `{"model":"m","stream":${stream},"messages":[{"role":"user","content":"${CARD}","content":"hello"}]}`
    const reply = await to.send('POST', '/v1/chat/completions', { body })
    expect(reply.status).toBe(400)
    expect(errorOf(reply)).toMatchObject({ code: 'invalid_request', param: 'messages.0.content' })
    expect([...away.requests, ...home.requests]).toEqual([])
  })

  it('is found whatever it stands in: ids, metadata, what a provider wants back', async () => {
    const { to, away } = await homeAndAway({ actions: { restricted: 'redact' } })
    const call = { id: CARD, type: 'function', function: { name: 'f', arguments: '{}' } }
    await chat(to, 'm', {
      stream,
      metadata: { id: CARD },
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', default: { id: CARD } } } }],
      messages: [
        { role: 'assistant', content: null, tool_calls: [call], extra_content: { mine: { note: CARD } } },
        { role: 'tool', tool_call_id: CARD, content: `data:text/plain;base64,no, ${CARD}` },
      ],
    })
    expect(away.requests[0]?.raw).not.toContain(CARD)
    expect(away.requests[0]?.raw.match(/\[redacted credit_card\]/g)).toHaveLength(6)
  })

  it('is found in tools, their calls and their results', async () => {
    const { to, away } = await homeAndAway({ actions: { internal: 'redact' } })
    const call = { id: 'c1', type: 'function', function: { name: 'mail', arguments: '{"to":"ada\\u0040example.org"}' } }
    await chat(to, 'm', {
      stream,
      tools: [{ type: 'function', function: { name: 'mail', description: `Not to ${MAIL}`, parameters: {} } }],
      messages: [
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'c1', content: `sent to ${MAIL}` },
      ],
    })
    const sent = away.requests[0]!.body as { messages: never[]; tools: never[] }
    expect(sent.tools).toMatchObject([{ function: { description: 'Not to [redacted email]' } }])
    expect(sent.messages).toMatchObject([
      { tool_calls: [{ id: 'c1', function: { arguments: '{"to":"[redacted email]"}' } }] },
      { content: 'sent to [redacted email]' },
    ])
  })
})

describe('what cannot be read', () => {
  const image = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }]

  it('goes out, and has a level if the host says so', async () => {
    const { to } = await homeAndAway({})
    expect(whoAnswered(await chat(to, 'm', say(image)))).toBe('away')
    const { to: careful } = await homeAndAway({ builtIn: { image: { level: 'confidential' } } })
    expect(whoAnswered(await chat(careful, 'm', say(image)))).toBe('home')
    expect((await entries(careful, 'inference.request'))[0]?.metadata).toMatchObject({ dlp_patterns: ['image'] })
  })

  it('cannot be redacted, so it is refused', async () => {
    const { to } = await homeAndAway({ builtIn: { image: { action: 'redact' } } })
    expect(whoAnswered(await chat(to, 'm', say(image)))).toBe('content_blocked')
  })
})

describe('what an answer holds', () => {
  const token = `ghp_${'a1B2'.repeat(9)}`

  it.each([false, true])('is redacted when asked for (stream: %s)', async (stream) => {
    const { to, away } = await homeAndAway({ answers: true })
    away.script({ text: `Use ${token} or ${CARD} and write to ${MAIL}.` })
    const reply = await chat(to, 'm', { stream })
    expect(textOf(reply.text, stream)).toBe(
      `Use [redacted github_token] or [redacted credit_card] and write to ${MAIL}.`,
    )
    const redacted = { where: 'answer', level: 'restricted', patterns: ['credit_card', 'github_token'] }
    expect(to.events).toContainEqual(expect.objectContaining(redacted))
    expect((await entries(to, 'inference.response'))[0]?.metadata).toMatchObject({ dlp_redacted: redacted.patterns })
  })

  it('is redacted in every member, plain and streamed, as much as there is to read', async () => {
    const disguised = '4111\u2061 1111\u30001111\ufe0f ١١١١'
    const gone = '[redacted credit_card]'
    const around = { id: 'c', object: 'chat.completion', created: 1, model: 'm', citations: [disguised] }
    const message = { role: 'assistant', content: disguised, reasoning: disguised, annotations: [{ title: disguised }] }
    const { to, away } = await homeAndAway({ answers: true })
    const choices = [{ index: 0, message, finish_reason: 'stop', logprobs: { content: [{ token: '4111' }] } }]
    const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }
    away.script({ body: { ...around, choices, usage } })
    const { body } = await chat(to, 'm')
    expect(body).toMatchObject({
      citations: [gone],
      choices: [{ logprobs: null, message: { content: gone, reasoning: gone, annotations: [{ title: gone }] } }],
    })
    const chunk = (delta: object, finish: string | null = null) => {
      const choice = { index: 0, delta, finish_reason: finish }
      return `data: ${JSON.stringify({ ...around, object: 'chat.completion.chunk', choices: [choice] })}\n\n`
    }
    const deltas = [...disguised]
      .flatMap((sign) => [{ reasoning: sign }, { content: sign }])
      .map((delta) => chunk(delta))
    const events = `${deltas.join('')}data: not JSON ${CARD}\n\n${chunk({ content: '.' }, 'stop')}data: [DONE]\n\n`
    away.script({ replay: { body: events, contentType: 'text/event-stream' } })
    const streamed = await chat(to, 'm', { stream: true })
    expect(textOf(streamed.text, true)).toBe(`${gone}.`)
    expect(textOf(streamed.text, true, 'reasoning')).toBe(gone)
    expect(streamed.text).toContain(`"citations":["${gone}"]`)
    expect(streamed.text).not.toMatch(/1111|١/)
  })

  const said = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
  const DONE = 'data: [DONE]\n\n'

  it('is read across its pieces where each of them says of its end that there is none', async () => {
    const { to, away } = await homeAndAway({ answers: true })
    const pieces = `Use ${CARD}.`.match(/.{1,5}/g)!.map((content) => said({ content }, ''))
    away.script({ replay: { body: pieces.join('') + said({}, 'stop') + DONE, contentType: 'text/event-stream' } })
    expect(textOf((await chat(to, 'm', { stream: true })).text, true)).toBe('Use [redacted credit_card].')
  })

  it('may change between a text and a list of parts, and nothing of either is lost', async () => {
    const { to, away } = await homeAndAway({ answers: true })
    const thought = (text: string) => ({ content: [{ type: 'thinking', thinking: [{ type: 'text', text }] }] })
    const parts = [thought('It is 4111'), { content: 'It is 55' }, thought(' 1111 1111 1111, or 7'), { content: '5.' }]
    const body = parts.map((delta) => said(delta)).join('') + said({}, 'stop') + DONE
    away.script({ replay: { body, contentType: 'text/event-stream' } })
    const deltas = deltasOf((await chat(to, 'm', { stream: true })).text)
    const contents = deltas.map(({ content }) => content)
    expect(contents.filter((content) => typeof content === 'string').join('')).toBe('It is 555.')
    const lists = contents.filter(Array.isArray).flat() as {
      type: string
      thinking: { type: string; text: string }[]
    }[]
    expect(lists.flatMap(({ thinking }) => thinking.map(({ text }) => text)).join('')).toBe(
      'It is [redacted credit_card], or 7',
    )
    expect(lists.every(({ type, thinking: [part] }) => type === 'thinking' && part!.type === 'text')).toBe(true)
  })

  it.each([false, true])('stays JSON where JSON was asked for (stream: %s)', async (stream) => {
    const { to, away } = await homeAndAway({ answers: true })
    away.script({ text: '{"card":4111111111111111,"at":"\\u0034111 1111 1111 1111"}' })
    const reply = await chat(to, 'm', { stream, response_format: { type: 'json_object' } })
    const gone = '[redacted credit_card]'
    expect(JSON.parse(textOf(reply.text, stream))).toEqual({ card: gone, at: gone })
  })

  it('that cannot be read ends in an error, which the host is told of', async () => {
    const { to, away } = await homeAndAway({ answers: true })
    const deep = `data: {"choices":[{"index":0,"delta":{"content":"a","b":${'['.repeat(50_000)}${']'.repeat(50_000)}}}]}\n\n`
    away.script({ replay: { body: said({ content: 'Well, ' }) + deep + DONE, contentType: 'text/event-stream' } })
    const { text } = await chat(to, 'm', { stream: true })
    expect(text).toContain('"code":"internal_error"')
    expect(to.logged).toContainEqual(
      expect.objectContaining({ level: 'error', details: expect.objectContaining({ err: expect.any(RangeError) }) }),
    )
  })

  it('is left alone otherwise', async () => {
    const { to, away } = await homeAndAway({})
    away.script({ text: `Use ${token}.` })
    expect(textOf((await chat(to, 'm')).text, false)).toBe(`Use ${token}.`)
  })
})

describe('embeddings', () => {
  it('are looked through too', async () => {
    const { to, away } = await homeAndAway({ actions: { internal: 'redact' } })
    await to.post('/v1/embeddings', { model: 'm', input: ['nothing', `mail of ${MAIL}`] })
    expect(away.requests[0]?.body).toMatchObject({ input: ['nothing', 'mail of [redacted email]'] })
  })

  it('of token ids, which hide a text, stay at home unless the host says otherwise', async () => {
    const ask = { model: 'm', input: [[9906, 1917]] }
    const { to } = await homeAndAway({})
    expect(whoAnswered(await to.post('/v1/embeddings', ask))).toBe('home')
    expect(whoAnswered(await to.post('/v1/embeddings', { ...ask, model: 'far' }))).toBe('no_local_route')
    const { to: free } = await homeAndAway({ builtIn: { token_ids: { action: 'allow' } } })
    expect(whoAnswered(await free.post('/v1/embeddings', ask))).toBe('away')
  })
})

describe('a classifier of the host', () => {
  it('says what patterns cannot know: a level, and places', async () => {
    const { to, away, home } = await homeAndAway({
      classify: ({ texts, call }) => {
        expect(call.model).toBe('m')
        const start = texts[0]!.indexOf('Ada')
        return {
          findings: start < 0 ? [] : [{ text: 0, start, end: start + 3, name: 'person', action: 'pseudonymise' }],
        }
      },
    })
    away.script({ text: 'Hello [PERSON-1]!' })
    expect(textOf((await chat(to, 'm', say('I am Ada.'))).text, false)).toBe('Hello Ada!')
    expect(home.requests).toEqual([])
  })

  it('may have names that are written alike', async () => {
    const { to, away } = await homeAndAway({
      classify: () => ({
        findings: [
          { text: 0, start: 0, end: 3, name: 'Person', action: 'pseudonymise' },
          { text: 0, start: 8, end: 11, name: 'person', action: 'pseudonymise' },
        ],
      }),
    })
    away.script({ text: '[PERSON-2] met [PERSON-1].' })
    expect(textOf((await chat(to, 'm', say('Ada and Bob met.'))).text, false)).toBe('Bob met Ada.')
  })

  it('keeps a call local by its word alone', async () => {
    const { to } = await homeAndAway({ classify: async () => 'confidential' as const })
    expect(whoAnswered(await chat(to, 'm'))).toBe('home')
  })

  it.each([
    ['throws', () => Promise.reject(new TypeError('no model'))],
    ['says nonsense', () => 'secret' as never],
    ['names a place that is not there', () => ({ findings: [{ text: 0, start: 0, end: 9_999, name: 'person' }] })],
  ])('that %s lets nothing pass', async (_how, classify) => {
    const { to, away, home } = await homeAndAway({ classify })
    expect(whoAnswered(await chat(to, 'm'))).toBe('classifier_failed')
    expect([...away.requests, ...home.requests]).toEqual([])
  })
})

/** The text of an answer, plain or streamed. */
function textOf(text: string, stream: boolean, field = 'content'): string {
  if (!stream) return JSON.parse(text).choices[0].message.content
  return deltasOf(text)
    .map((delta) => delta[field] ?? '')
    .join('')
}

function deltasOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)).choices[0]?.delta ?? {})
}

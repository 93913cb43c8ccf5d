import { once } from 'node:events'
import { gate } from '@hoosh/core/testing'
import { expect } from 'vitest'
import { type Case, question, type Scene } from '../case.js'
import { dial, head } from '../wire.js'

/** How soon a provider has to know that nobody listens any more, in ms. */
const SOON_MS = 250

/** A machine that does other things too may be late by chance, but not each time. */
const TRIES = 3

/** What comes of a call that is left: the name of an error. */
const outcomeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'an answer',
    ({ name }: Error) => name,
  )

/** Leaves a call that `begin` has begun, and sees the provider be told. */
async function soon(
  { provider, settled }: Scene,
  begin: (signal: AbortSignal) => Promise<{ outcome: Promise<string> }>,
): Promise<void> {
  const tookMs: number[] = []
  while (tookMs.length < TRIES && !(tookMs.at(-1)! < SOON_MS)) {
    provider.reset()
    const leaving = new AbortController()
    const { outcome } = await begin(leaving.signal)
    const leftAt = performance.now()
    leaving.abort()
    await provider.requests[0]!.aborted
    tookMs.push(provider.requests[0]!.abortedAt! - leftAt)
    expect(await outcome).toBe('AbortError')
    await settled()
  }
  expect(Math.min(...tookMs)).toBeLessThan(SOON_MS)
}

const leavesBeforeHeaders = (scene: Scene, stream: boolean): Promise<void> =>
  soon(scene, async (signal) => {
    scene.provider.script({ fault: 'hang-before-head' })
    const outcome = outcomeOf(scene.chat({ stream }, { signal }))
    await scene.provider.received(1)
    return { outcome }
  })

const leavesStream = (scene: Scene): Promise<void> =>
  soon(scene, async (signal) => {
    scene.provider.script({ tokens: 100, holdAfter: { events: 5, gate: gate() } })
    const reader = await readUntil(await scene.chat({ stream: true }, { signal }), '" four"')
    return { outcome: outcomeOf(reader.read()) }
  })

/**
 * A prompt that both sides count alike, to the token: hoosh, for a stream that was left, by its tokenizer and the template
 * (7 and 12), the scripted provider as a token for four bytes. The first event, which only says whose turn it is, counts
 * nowhere.
 */
const EVEN_PROMPT = [{ role: 'user', content: `${Array(5).fill('characteristic').join(' ')}.` }]

/** Tokens that a stream has sent when its client leaves it. */
const HEARD = 7

async function readUntil(response: Response, text: string) {
  const reader = response.body!.getReader()
  let all = ''
  while (!all.includes(text)) {
    const { value, done } = await reader.read()
    expect(done).toBe(false)
    all += Buffer.from(value!).toString()
  }
  return reader
}

export const ABORTS: readonly Case[] = [
  {
    name: 'a client that leaves before a plain answer stops the provider within 250 ms',
    run: (scene) => leavesBeforeHeaders(scene, false),
  },
  {
    name: 'a client that leaves before the first event stops the provider within 250 ms',
    run: (scene) => leavesBeforeHeaders(scene, true),
  },
  {
    name: 'a client that leaves a stream stops the provider within 250 ms',
    run: leavesStream,
  },
  {
    name: 'a client that does not read holds its provider back, and misses nothing',
    async run({ app, user, provider }) {
      const words = 3_000
      const text = Array.from({ length: words }, (_, at) => ` ${String(at).padStart(12_000, '.')}`).join('')
      provider.script({ text })
      const socket = await dial((await app('plain')).url)
      const body = JSON.stringify(question({ stream: true, max_tokens: 1_000_000_000 }))
      const headers = { authorization: `Bearer ${user}-token`, 'content-type': 'application/json', connection: 'close' }
      socket.pause().write(head('POST', '/v1/chat/completions', { ...headers, 'content-length': body.length }) + body)
      await provider.received(1)
      const sent = () => provider.bill.perAttempt[0]!.completionTokens
      // It stands still when it has written nothing for a while; 36 MB are more than all sockets on the way take,
      // which the system lets grow to some 10 MB each.
      for (let before = -1; before < sent() || sent() === 0; ) {
        before = sent()
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      expect(sent()).toBeLessThan(words)
      let all = ''
      socket
        .setEncoding('latin1')
        .on('data', (chunk: string) => (all += chunk))
        .resume()
      await once(socket, 'end')
      expect(sent()).toBe(words)
      const numbers = [...all.matchAll(/"content":" ?\.*(\d+)"/g)].map(([, number]) => Number(number))
      expect(numbers).toEqual(Array.from({ length: words }, (_, at) => at))
      expect(all).toContain('data: [DONE]')
    },
  },
  {
    name: 'many streams at once, a third of them left: no hold stays, and the ledger is the bill',
    async run({ mount, provider, chat, settled, pool }) {
      // Fewer where Node's own streams do the work, of which the other suites have seen many.
      const streams = mount.seesSocket ? 60 : 200
      const leaving = Math.ceil(streams / 3)
      const rest = gate()
      const one = async (index: number) => {
        const abort = new AbortController()
        const isLeft = index % 3 === 0
        const model = isLeft ? 'gpt-4o' : 'gpt-4o-mini'
        const response = await chat({ stream: true, model, messages: EVEN_PROMPT }, { signal: abort.signal })
        if (!isLeft) return expect(await response.text()).toContain('data: [DONE]')
        await readUntil(response, '" seven"')
        abort.abort()
      }
      provider.script(
        { model: 'gpt-4o', times: streams, tokens: 50, holdAfter: { events: HEARD + 1, gate: rest } },
        { model: 'gpt-4o-mini', times: streams, tokens: 20 },
      )
      await Promise.all(Array.from({ length: streams }, (_, index) => one(index)))
      await settled()
      // A connection that is closed over there is heard of here a moment later.
      const left = () => provider.bill.perAttempt.filter(({ outcome }) => outcome === 'client-closed').length
      await expect.poll(left).toBe(leaving)
      rest.open()
      expect(provider.bill.totalTokens).toBe(streams * 19 + leaving * HEARD + (streams - leaving) * 20)
      expect(await pool()).toMatchObject({ reserved: 0, used: provider.bill.totalTokens })
    },
  },
]

import type { PoolSnapshot, PoolSpec } from '@hoosh/core'
import type { ScriptedProvider } from '@hoosh/core/testing'
import { request } from 'undici'
import { expect } from 'vitest'
import { deferred } from './deferred.js'
import { type CallAs, headersOf, nanoUsdOf, until } from './money.js'
import { randomFrom } from './random.js'

const CALLS = 50
const PAID_FOR = 5
const OUTPUT = 256

/** A prompt of this many bytes is held as its bytes and 12 for the template, also where only one more call fits. */
const LONGEST_PROMPT = 24
const WORST = { tokens: LONGEST_PROMPT + 12 + OUTPUT, nanoUsd: nanoUsdOf(LONGEST_PROMPT + 12, OUTPUT) }

/** `tight` pools hold exactly five worst cases, `wide` ones any number. */
export const RUSH_POOLS: Readonly<Record<string, PoolSpec>> = {
  'tight:tokens:*': { tokens: PAID_FOR * WORST.tokens },
  'tight:usd:*': { usd: (PAID_FOR * WORST.nanoUsd) / 1e9 },
  'wide:*': { tokens: 10_000_000, usd: 1_000 },
}

/** Hundreds of seeds where there is time. */
export const SEEDS = Array.from({ length: process.env.HOOSH_LONG === '1' ? 400 : 20 }, (_, index) => index + 1)

const WORDS = ['sea', 'sun', 'moss', 'rain', 'pine', 'wind', 'kelp', 'dune']

type Rush = ReturnType<typeof rushOf>

/** What a seed varies: the unit that is capped, prompts, the order of arrival, which calls stream, lengths of answers. */
function rushOf(seed: number, widths: readonly string[]) {
  const random = randomFrom(seed)
  const unit = random.chance(0.5) ? 'usd' : 'tokens'
  const prompt = (bytes: number) => {
    let text = random.pick(WORDS)
    while (text.length < bytes) text += ` ${random.pick(WORDS)}`
    return text.slice(0, bytes)
  }
  const bodies = Array.from({ length: CALLS }, () => ({
    model: 'gpt-4o',
    max_tokens: OUTPUT,
    stream: random.chance(0.5),
    // Five prompts together save less of their worst case than the least call needs, so there is never room for a sixth.
    messages: [{ role: 'user', content: prompt(random.between(LONGEST_PROMPT - 4, LONGEST_PROMPT)) }],
  }))
  return {
    as: {
      user: `user-${seed}`,
      pools: widths.map((width) => `${width}:${unit}:${widths.join('-')}-${seed}`),
    } satisfies CallAs,
    bodies,
    /** How many turns of the event loop a call waits before it is sent. */
    delays: random.shuffled(bodies.map((_, index) => index >> random.between(1, 4))),
    answers: Array.from({ length: PAID_FOR }, () => random.between(1, OUTPUT + 100)),
  }
}

interface RushTill {
  readonly provider: ScriptedProvider
  readonly urls: readonly string[]
  /** A pool as the ledger has it. */
  pool(name: string): Promise<Pick<PoolSnapshot, 'used' | 'held'>>
}

/**
 * Fifty calls at once, before gateways that share their pools and whose provider answers nobody until all fifty are
 * decided. Five are answered; the others are refused and never reach the provider, nothing stays held, and each pool has
 * paid exactly what the provider bills.
 */
export async function rush(seed: number, widths: readonly string[], till: RushTill): Promise<void> {
  try {
    await run(rushOf(seed, widths), till)
  } catch (cause) {
    throw new TypeError(`seed ${seed}`, { cause })
  }
}

async function run({ as, bodies, delays, answers }: Rush, { provider, urls, pool }: RushTill): Promise<void> {
  provider.reset()
  provider.hold()
  provider.script(...answers.map((tokens) => ({ tokens })))
  let undecided = CALLS - PAID_FOR
  const decided = deferred()
  const calls = bodies.map(async (body, index) => {
    for (let turn = delays[index]!; turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve))
    const reply = await request(`${urls[index % urls.length]}/v1/chat/completions`, {
      method: 'POST',
      headers: headersOf(as),
      body: JSON.stringify(body),
    })
    undecided -= 1
    if (undecided === 0) decided.resolve()
    return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() }
  })
  await provider.received(PAID_FOR)
  await decided.promise
  provider.release()
  const all = await Promise.all(calls)
  const refused = all.filter(({ status }) => status === 429)
  expect([all.filter(({ status }) => status === 200).length, refused.length]).toEqual([PAID_FOR, CALLS - PAID_FOR])
  const tight = as.pools.find((name) => name.startsWith('tight'))!
  for (const { headers, text } of refused) {
    expect(headers['x-should-retry']).toBe('false')
    expect(JSON.parse(text)).toMatchObject({
      error: { type: 'insufficient_quota', code: 'budget_exceeded', pool: tight },
    })
  }
  const { bill } = provider
  expect(bill.attempts).toBe(PAID_FOR)
  const used = { tokens: bill.totalTokens, nanoUsd: nanoUsdOf(bill.promptTokens, bill.completionTokens) }
  for (const name of as.pools) {
    await until(async () => (await pool(name)).held.tokens === 0)
    expect(await pool(name)).toMatchObject({ held: { tokens: 0, nanoUsd: 0 }, used })
  }
}

import type { Amount } from '@hoosh/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ROUTES } from '../../packages/core/src/routes/all.js'
import { CLAIM, ENDINGS, type Ending, MAX_TOKENS, PAID_ROUTES, type PaidRoute } from '../support/matrix.js'
import { billed, nanoUsdOf, STORES, type StoreKind, type Till, till, until } from '../support/money.js'

const AMPLE = 1_000_000
const paid = ROUTES.filter(({ isPaid }) => isPaid === true)

interface Cell {
  readonly path: string
  readonly stream: boolean
  readonly ending: Ending
  readonly name: string
}

/** Everything that can become of a call, for every paid route there is. */
const cells: Cell[] = paid.flatMap(({ path }) => {
  const route = PAID_ROUTES[path]
  if (route === undefined) return []
  return [false, ...(route.streams ? [true] : [])].flatMap((stream) =>
    ENDINGS.filter(({ only, needsOutput }) => {
      if (needsOutput === true && !route.speaks) return false
      return only === undefined || only === (stream ? 'streamed' : 'plain')
    }).map((ending) => ({ path, stream, ending, name: `${path}${stream ? ', streamed' : ''}: ${ending.name}` })),
  )
})

it.each(paid)('the paid route $path is described to the matrix', ({ path }) => {
  expect(Object.keys(PAID_ROUTES)).toContain(path)
})

it('the matrix describes no route that is gone', () => {
  expect(Object.keys(PAID_ROUTES).filter((path) => !paid.some((route) => route.path === path))).toEqual([])
})

describe.each(STORES)('what is charged, on $name', (store) => {
  it.each(cells.map((cell) => [cell.name, cell] as const))('%s', (_, cell) => check(store, cell))
})

async function check(store: StoreKind, { path, stream, ending }: Cell): Promise<void> {
  const route = PAID_ROUTES[path]!
  const counter = await open(store, ending)
  const requestId = 'the-call'
  counter.provider.script(ending.script)
  await made(counter, ending, {
    path: path.slice('/v1/'.length),
    requestId,
    body: route.body(stream),
  })

  const { used, held } = await counter.settled()
  const expected = chargeOf(ending, route, counter, used)
  expect({ used, held }).toEqual({ used: expected, held: { tokens: 0, nanoUsd: 0 } })
  if (ending.charged === 'what came') expect(outputIn(used, route)).toBeLessThanOrEqual(route.speaks ? MAX_TOKENS : 0)
  const isFree = expected.tokens === 0
  if (ending.event !== 'usage.implausible') {
    expect(used.tokens).toBeGreaterThanOrEqual(counter.provider.bill.totalTokens)
  }

  const records = counter.vault.records()
  expect(records.map(({ usage: _, ...record }) => record)).toMatchObject(
    isFree ? [] : [{ requestId, nanoUsd: expected.nanoUsd, outcome: ending.outcome, stream }],
  )
  const log = await logOf(counter, requestId)
  const isAnswer = ending.outcome === 'ok' || ending.outcome === 'cutoff'
  expect(log.map(({ event }) => event)).toEqual([
    'inference.request',
    isAnswer ? 'inference.response' : 'inference.error',
  ])
  expect(log[1]!.metadata).toMatchObject({
    outcome: ending.outcome,
    charged_tokens: expected.tokens,
    charged_nano_usd: expected.nanoUsd,
  })
  const flags = counter.events.map(({ type }) => type).filter((type) => /overrun|cutoff|implausible/.test(type))
  expect(flags).toEqual(ending.event === undefined ? [] : [ending.event])
}

async function open(store: StoreKind, { tokens = AMPLE, isImpatient, isUnreachable }: Ending): Promise<Till> {
  const counter = await till(store, {
    pools: { 'user:*': { tokens, usd: 1_000 } },
    ...(isImpatient === 'before the head' && { deadlines: { firstByteMs: 40, plainMs: 40 } }),
    ...(isImpatient === 'after it' && { deadlines: { idleMs: 300 } }),
    ...(isUnreachable === true && { providers: [{ type: 'openai', baseUrl: 'http://127.0.0.1:9' }] }),
  })
  onTestFinished(() => counter.close())
  return counter
}

async function made(
  counter: Till,
  { leaves }: Ending,
  { body, ...as }: { path: string; requestId: string; body: Record<string, unknown> },
): Promise<void> {
  const leaving = new AbortController()
  const call = counter.call(body, { ...as, signal: leaving.signal })
  if (leaves === 'at once') {
    await counter.provider.received(1)
    leaving.abort()
    await expect(call).rejects.toThrow()
  } else if (leaves !== undefined) {
    const reader = (await call).body!.getReader()
    for (let text = ''; !text.includes(leaves.after); ) text += Buffer.from((await reader.read()).value!).toString()
    leaving.abort()
  } else {
    await (await call).text()
  }
  if (leaves !== undefined) await counter.provider.requests[0]!.aborted
}

/** Output tokens in a charge of the prompt's bytes and some output. */
function outputIn(used: Amount, { prompt }: PaidRoute): number {
  const output = used.tokens - prompt.bytes
  expect(used.nanoUsd).toBe(nanoUsdOf(prompt.bytes, output))
  return output
}

/** Its entries that tell of a call; they are written in the background. */
async function logOf(counter: Till, requestId: string) {
  type Entry = { event: string; request_id?: string; metadata?: Record<string, unknown> }
  let log: Entry[] = []
  await until(async () => {
    const { entries } = await counter.get<{ entries: Entry[] }>('/v1/audit')
    log = entries.filter((entry) => entry.event.startsWith('inference.') && JSON.stringify(entry).includes(requestId))
    return log.length > 1
  })
  return log
}

function chargeOf({ charged }: Ending, { prompt, speaks }: PaidRoute, { provider }: Till, used: Amount): Amount {
  if (charged === 'what came') return used
  if (charged === 'nothing') return { tokens: 0, nanoUsd: 0 }
  if (charged === 'the bill') return billed(provider.bill)
  if (charged === 'the prompt') return { tokens: prompt.bytes, nanoUsd: nanoUsdOf(prompt.bytes, 0) }
  if (charged === 'the hold') {
    const tokens = prompt.bytes + (speaks ? MAX_TOKENS : 0)
    const [input, output] = [CLAIM.prompt_tokens, speaks ? CLAIM.completion_tokens : 0]
    return { tokens, nanoUsd: Math.ceil((nanoUsdOf(input, output) * tokens) / (input + output)) }
  }
  const output = speaks ? charged.counted : 0
  return { tokens: prompt.counted + output, nanoUsd: nanoUsdOf(prompt.counted, output) }
}

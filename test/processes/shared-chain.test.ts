import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'

const script = new URL('gateway-child.mjs', import.meta.url)
const SHARED = {
  pools: { 'user:*': { tokens: 10_000_000 } },
  audit: { key: 'a key of this test alone', chain: 'shared' },
}

const start = async (place: string) => {
  const started = await child(script, [place, JSON.stringify(SHARED)])
  onTestFinished(() => killed(started.process))
  return { process: started.process, url: `http://127.0.0.1:${started.line}` }
}

interface Log {
  total: number
  chain_valid: boolean
  verified_through: Record<string, number>
  entries: { event: string; staged?: true; integrity?: { writer: string; seq: number } }[]
}

const call = async (url: string) => {
  const reply = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo', max_tokens: 16, messages: [{ role: 'user', content: 'hi' }] }),
  })
  expect([reply.status, (await reply.text()).length > 0]).toEqual([200, true])
}

describe.each(DATABASES)('three processes on one $name', ({ missing, make }) => {
  it.skipIf(missing !== null)('one of them killed, append to one chain without fork or gap', async () => {
    const database = make()
    onTestFinished(() => database.remove())
    const { place } = database
    const processes = [await start(place), await start(place), await start(place)]
    await Promise.all(
      processes.map(async ({ url }) => {
        for (let done = 0; done < 40; done += 4) await Promise.all(Array.from({ length: 4 }, () => call(url)))
      }),
    )
    const [first, second, third] = processes as [(typeof processes)[0], (typeof processes)[0], (typeof processes)[0]]
    await killed(third.process)
    await Promise.all([call(first.url), call(second.url)])

    const fourth = await start(place) // links what the killed one left, and checks everything
    const expected = 4 + 2 * (3 * 40 + 2)
    const read = async () => (await (await fetch(`${fourth.url}/v1/audit?limit=1000`)).json()) as Log
    const isLinked = ({ total, entries, verified_through }: Log) =>
      total === expected &&
      entries.every(({ staged }) => staged !== true) &&
      Object.values(verified_through)[0] === expected
    for (let tries = 0; tries < 200 && !isLinked(await read()); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
    const { entries, chain_valid, verified_through } = await read()
    const [writer] = Object.keys(verified_through)
    expect([chain_valid, verified_through]).toEqual([true, { [writer!]: expected }])
    expect(writer).toMatch(/^shared\//)
    expect(entries.map(({ integrity }) => integrity?.seq).sort((a, b) => a! - b!)).toEqual(
      Array.from({ length: expected }, (_, index) => index + 1),
    )
    expect(entries.filter(({ event }) => event === 'audit.boot')).toHaveLength(4)
  })
})

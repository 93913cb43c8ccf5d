import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createGateway, type HooshEvent } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { identify, people, serve } from '../../support/mounts.js'
import { type Answer, FAULTS, type Fault, type FaultDialect, IDLE_MS, type Outcome } from './fault-list.js'

/** Every fault of a provider, for plain and streamed answers of a dialect. */
export function faults(dialect: FaultDialect): void {
  describe(`faults of a provider that speaks ${dialect.type}`, () => {
    const cells = FAULTS.flatMap((fault) => [
      ...(fault.plain === undefined ? [] : [[`plain: ${fault.name}`, fault, false, fault.plain] as const]),
      ...(fault.stream === undefined ? [] : [[`streamed: ${fault.name}`, fault, true, fault.stream] as const]),
    ])
    it.each(cells)('%s', (_name, fault, stream, outcome) => check(dialect, fault, stream, outcome))
  })
}

async function check(dialect: FaultDialect, fault: Fault, stream: boolean, outcome: Outcome): Promise<void> {
  const upstream = await spoiled(dialect, fault)
  const ended: HooshEvent[] = []
  const patienceMs = fault.isLarge === true ? 20_000 : IDLE_MS
  const ai = createGateway({
    providers: [{ type: dialect.type, baseUrl: upstream.url, apiKey: 'sk-key-of-the-route' }],
    pools: { 'user:*': { tokens: 10_000_000, unpriced: 'allow' } },
    deadlines: { connectMs: 5_000, firstByteMs: patienceMs, plainMs: patienceMs, idleMs: patienceMs },
    logger: false,
    onEvent: (event) => void (event.type.startsWith('inference.') && ended.push(event)),
  })
  const served = await serve(toNodeHandler(ai, { identify }))
  onTestFinished(async () => {
    await served.close()
    await ai.close({ timeoutMs: 0 })
    await upstream.close()
  })
  const headers = { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' }
  const messages = [{ role: 'user', content: 'Say something about the sea.' }]
  const body = JSON.stringify({ model: dialect.model, messages, stream, max_tokens: 200 })
  const reply = await fetch(`${served.url}/v1/chat/completions`, { method: 'POST', headers, body })
  const text = await reply.text()
  expectOutcome(dialect, stream, outcome, reply.status, text)

  const pool = await settledPool(served.url, headers)
  const bill = upstream.bill()
  expect(pool.used).toBeGreaterThanOrEqual(bill)
  if (fault.isFree === true) expect(pool.used).toBe(0)
  if (outcome === 'whole') expect(pool.used).toBe(dialect.promptTokens + dialect.completionTokens)
  expect(ended.map(({ type }) => type)).toEqual([outcome === 'whole' ? 'inference.completed' : 'inference.failed'])
}

function expectOutcome(dialect: FaultDialect, stream: boolean, outcome: Outcome, status: number, text: string): void {
  if (outcome === 'whole') {
    expect([status, text]).toEqual([200, expect.stringContaining(stream ? 'data: [DONE]\n\n' : dialect.text)])
    expect(text.split('[DONE]').length).toBe(stream ? 2 : 1)
    return
  }
  if ('status' in outcome) {
    expect({ status, code: JSON.parse(text).error.code }).toEqual(outcome)
    return
  }
  const events = text.split('\n\n').filter((event) => event.startsWith('data: '))
  expect([status, text.includes('[DONE]')]).toEqual([200, false])
  const { error } = JSON.parse(events.at(-1)!.slice(6))
  if (dialect.passesErrors === true && error.message === 'boom') expect(error).toHaveProperty('code')
  else expect(error).toMatchObject({ code: outcome.broken })
  expect(events.filter((event) => event.includes('"error"')).length).toBe(1)
}

async function settledPool(url: string, headers: Record<string, string>): Promise<{ used: number; reserved: number }> {
  for (;;) {
    const reply = await fetch(`${url}/v1/tokens/pools`, { headers })
    const [pool] = (await reply.json()) as { used: number; reserved: number }[]
    if (pool!.reserved === 0) return pool!
  }
}

/** A server that spoils every answer in one way and keeps the true bill. */
async function spoiled(dialect: FaultDialect, fault: Fault) {
  let isRead = false
  let tokens = 0
  const bills = (more: number) => {
    tokens += more
  }
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    isRead = true
    const stream = /"stream":true/.test(Buffer.concat(chunks).toString()) || /stream/i.test(req.url!)
    await fault.serve(answerOn(res, dialect, stream, bills))
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    if (fault.resetsConnections === true) socket.resetAndDestroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A port that was closed may be another test's by now; at the first one nobody listens.
  const port = fault.isUnreachable === true ? 1 : (server.address() as AddressInfo).port
  const url = `http://127.0.0.1:${port}`
  const close = () => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return {
    url,
    /** Tokens that the provider bills. */
    bill: () => (isRead && fault.isFree !== true ? dialect.promptTokens + tokens : 0),
    close,
  }
}

function answerOn(
  res: ServerResponse,
  dialect: FaultDialect,
  stream: boolean,
  bills: (tokens: number) => void,
): Answer {
  const type = stream ? dialect.streamType : 'application/json'
  const { head, text, finish, end } = dialect.events(dialect.text)
  const answer: Answer = {
    res,
    dialect,
    stream,
    head(other = type) {
      res.writeHead(200, { 'content-type': other })
      res.flushHeaders()
    },
    write(piece, tokens = 0) {
      bills(tokens)
      res.write(piece)
    },
    whole: () => (stream ? [...head, ...text, ...finish, ...end] : [dialect.plain(dialect.text)]),
    half() {
      answer.head()
      if (stream) for (const event of [...head, text[0]!]) answer.write(event, event === text[0] ? 1 : 0)
      else answer.write(dialect.plain(dialect.text).slice(0, 60), 1)
    },
    reset: () => void res.socket?.resetAndDestroy(),
  }
  return answer
}

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ROUTES } from '../../packages/core/src/routes/all.js'
import { chatOf, type Door, door, type Reply } from '../support/door.js'

/** How a route is called so that it does what it is for, and what the log says of it then, in order. */
interface Recorded {
  readonly events: readonly string[]
  readonly body?: object
  /** What has to be there before: gives what stands for `:id` in the path, or goes into the body. */
  before?(to: Door): Promise<{ readonly id?: string; readonly body?: object }>
}

const admin = { as: 'admin' } as const
const idOf = (field: string, { body }: Reply) => (body as Record<string, string>)[field]!
const aKey = async (to: Door) => ({ id: idOf('id', await to.post('/v1/keys', {}, admin)) })

/** Every route that changes something, costs money or takes something out. A new one has to say here what it records. */
const RECORDED: Readonly<Record<string, Recorded>> = {
  'POST /v1/chat/completions': { events: ['inference.request', 'inference.response'], body: chatOf('demo') },
  'POST /v1/embeddings': { events: ['inference.request', 'inference.response'], body: { model: 'demo', input: 'x' } },
  'POST /v1/models/pull': { events: ['admin.model_pulled'], body: { model: 'llama3.1' } },
  'POST /v1/models/delete': { events: ['admin.model_deleted'], body: { model: 'llama3.1' } },
  'POST /v1/tokens/reserve': { events: ['budget.reserved'], body: { tokens: 10 } },
  'POST /v1/tokens/report': {
    events: ['budget.settled'],
    async before(to) {
      const reservation_id = idOf('reservation_id', await to.post('/v1/tokens/reserve', { tokens: 10 }, admin))
      return { body: { reservation_id, actual: 4 } }
    },
  },
  'POST /v1/tokens/runs': { events: ['budget.run_opened'], body: { tokens: 100 } },
  'DELETE /v1/tokens/runs/:id': {
    events: ['budget.run_closed'],
    before: async (to) => ({ id: idOf('id', await to.post('/v1/tokens/runs', { tokens: 100 }, admin)) }),
  },
  'PUT /v1/tokens/pools/:name': { events: ['admin.pool_set'], body: { tokens: 5 } },
  'DELETE /v1/tokens/pools/:name': { events: ['admin.pool_deleted'] },
  'POST /v1/tokens/pools/:name/credits': {
    events: ['admin.pool_credited'],
    before: async () => ({ id: 'user:ann', body: { id: 'c', tokens: 5 } }),
  },
  'POST /v1/tokens/pools/:name/refunds': {
    events: ['admin.pool_refunded'],
    async before(to) {
      const pool = 'user:ann'
      const reservation_id = idOf('reservation_id', await to.post('/v1/tokens/reserve', { tokens: 10, pool }, admin))
      await to.post('/v1/tokens/report', { reservation_id, actual: 4 }, admin)
      return { id: pool, body: { id: 'r', reservation_id, tokens: 2 } }
    },
  },
  'POST /v1/costs/reset': { events: ['admin.costs_reset'] },
  'POST /v1/keys': { events: ['admin.key_created'], body: {} },
  'POST /v1/keys/:id/rotate': { events: ['admin.key_rotated'], body: {}, before: aKey },
  'DELETE /v1/keys/:id': { events: ['admin.key_revoked'], before: aKey },
  'GET /v1/audit/:id/payload': {
    events: ['admin.payload_read'],
    async before(to) {
      await to.post('/v1/chat/completions', chatOf('demo'), admin)
      const asked = (await entries(to)).find(({ event }) => event === 'inference.request')
      return { id: asked!.id }
    },
  },
  'DELETE /v1/audit/subjects/:user': { events: ['admin.erasure'] },
  'GET /v1/audit/export': { events: ['admin.audit_exported'] },
  'POST /v1/catalog/sync': { events: ['admin.catalog_synced'] },
}

/** Routes with a body that only look something up. */
const READS = new Set([
  'POST /v1/tokens/check',
  'POST /v1/cost/estimate',
  'POST /v1/cost/recommend',
  'POST /v1/training/status',
])

/** Anything an Ollama or a Synapse server is asked, answered with an empty object. */
async function agreeable(): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end('{}'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function opened(): Promise<Door> {
  const baseUrl = await agreeable()
  return door({
    rootRoutes: true,
    audit: { payloads: { key: 'k'.repeat(32) } },
    providers: [
      { type: 'demo', models: ['demo'] },
      { type: 'ollama', baseUrl, models: ['llama*'] },
      { type: 'synapse', baseUrl, models: ['none'] },
    ],
  })
}

interface Entry {
  readonly id: string
  readonly event: string
  readonly subject?: string
  readonly requestId?: string
}

async function entries(to: Door): Promise<readonly Entry[]> {
  return ((await to.get('/v1/audit?limit=1000', admin)).body as { entries: Entry[] }).entries
}

const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`
const changing = ROUTES.filter(({ method, isPaid }) => method !== 'GET' || isPaid === true)

describe('the log', () => {
  it.each(changing.filter((route) => !READS.has(nameOf(route))))('tells of $method $path', async (route) => {
    const recorded = RECORDED[nameOf(route)]
    expect(
      recorded,
      `${nameOf(route)} says in RECORDED what it records, or in READS that it changes nothing`,
    ).toBeDefined()
    await tellsOf(route, recorded!)
  })

  it.each(ROUTES.filter((route) => route.method === 'GET' && nameOf(route) in RECORDED))(
    'tells of $method $path, which takes something out',
    async (route) => tellsOf(route, RECORDED[nameOf(route)]!),
  )

  it('has no expectation for a route that is gone', () => {
    const names = new Set(ROUTES.map(nameOf))
    expect([...Object.keys(RECORDED), ...READS].filter((name) => !names.has(name))).toEqual([])
  })

  it.each(ROUTES.filter(({ access }) => access === 'admin'))(
    'tells that $method $path was refused to a user',
    async ({ method, path }) => {
      const to = await opened()
      const { headers } = await to.send(method, path.replace(/[:*]\w+/, 'x'), {
        ...(method !== 'GET' && { body: '{}' }),
      })
      expect(await entries(to)).toContainEqual(
        expect.objectContaining({
          event: 'auth.refused',
          subject: 'alice',
          requestId: headers.get('x-request-id'),
        }),
      )
    },
  )

  it('tells of the host: what it holds, gives back, calls and notes', async () => {
    const to = await opened()
    const host = to.gateway.as({ user: 'carol', pool: 'user:carol' })
    await (await host.budget.reserve({ tokens: 5 })).settle({ tokens: 3 })
    await (await host.budget.reserve({ tokens: 5 })).release()
    await host.chat(chatOf('demo'))
    await host.audit.record('document.read', { pages: 3 })
    await expect(host.budget.reserve({ tokens: 10_000_000 })).rejects.toMatchObject({ code: 'budget_exceeded' })
    const own = (await entries(to)).filter(({ subject }) => subject === 'carol')
    expect(own.map(({ event }) => event)).toEqual([
      'budget.reserved',
      'budget.settled',
      'budget.reserved',
      'budget.released',
      'inference.request',
      'inference.response',
      'document.read',
      'budget.refused',
    ])
  })
})

/** Calls a route as an admin, and finds what it has to leave, under that request's id. */
async function tellsOf({ method, path }: (typeof ROUTES)[number], { events, body, before }: Recorded): Promise<void> {
  const to = await opened()
  const there = before === undefined ? {} : await before(to)
  const sent = there.body ?? body
  const reply = await to.send(method, path.replace(/[:*]\w+/, there.id ?? 'x'), {
    ...admin,
    ...(sent !== undefined && { body: JSON.stringify(sent) }),
  })
  expect(reply.status, reply.text).toBeLessThan(300)
  const requestId = reply.headers.get('x-request-id')
  const own = (await entries(to)).filter((entry) => entry.requestId === requestId)
  expect(own.map(({ event, subject }) => [event, subject])).toEqual(events.map((event) => [event, 'root']))
}

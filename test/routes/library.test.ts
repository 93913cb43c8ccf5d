import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Door, deadUrl, door, errorOf } from '../support/door.js'
import { people } from '../support/mounts.js'

const admin = { as: 'admin' } as const

interface Ollama {
  readonly url: string
  readonly asked: string[]
  /** Resolves when a request has been cut off by whoever made it. */
  readonly cut: Promise<void>
}

/** A server of models that answers every other path as it is told to. */
async function ollama(answer: (req: IncomingMessage, res: ServerResponse) => void = () => undefined): Promise<Ollama> {
  const asked: string[] = []
  let cutOff: () => void
  const cut = new Promise<void>((resolve) => {
    cutOff = resolve
  })
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    asked.push(`${req.method} ${req.url} ${Buffer.concat(chunks)}`)
    res.on('close', () => res.writableEnded || cutOff())
    if (req.url === '/api/tags')
      res.end(JSON.stringify({ models: [{ name: 'llama3.1:latest' }, { name: 'qwen3:8b' }] }))
    else answer(req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, cut }
}

const lines = ['{"status":"pulling manifest"}\n', '{"status":"success"}\n']
const behind = (...urls: string[]): Promise<Door> =>
  door({
    rootRoutes: true,
    providers: urls.map((baseUrl, index) => ({ type: 'ollama', name: `box-${index}`, baseUrl, models: ['llama*'] })),
  })
const pull = { model: 'llama3.1' }
const named = '{"model":"llama3.1","name":"llama3.1"}'

describe('POST /v1/models/pull', () => {
  it("answers with Ollama's own lines as they come", async () => {
    const server = await ollama((_req, res) => {
      res.writeHead(200, { 'content-type': 'application/x-ndjson' })
      for (const line of lines) res.write(line)
      res.end()
    })
    const to = await behind(server.url)
    const reply = await to.post('/v1/models/pull', pull, admin)
    expect([reply.status, reply.text]).toEqual([200, lines.join('')])
    expect(reply.headers.get('content-type')).toBe('application/x-ndjson')
    expect(server.asked).toEqual([`POST /api/pull ${named}`])
    const { entries } = (await to.get('/v1/audit?event=admin.model_pulled', admin)).body as { entries: object[] }
    expect(entries).toMatchObject([{ model: 'llama3.1', metadata: { route: 'box-0' } }])
  })

  it('ends at the server too where the client goes away', async () => {
    const server = await ollama((_req, res) => {
      res.writeHead(200, { 'content-type': 'application/x-ndjson' })
      res.write(lines[0])
    })
    const to = await behind(server.url)
    const leave = new AbortController()
    const reply = await fetch(`${to.url}/v1/models/pull`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.admin.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(pull),
      signal: leave.signal,
    })
    const reader = reply.body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe(lines[0])
    leave.abort()
    await server.cut
  })

  it('says in a last line that it broke off', async () => {
    const server = await ollama((_req, res) => {
      res.writeHead(200, { 'content-type': 'application/x-ndjson' })
      res.write(lines[0], () => res.destroy())
    })
    const { text } = await (await behind(server.url)).post('/v1/models/pull', pull, admin)
    expect(text.split('\n').slice(0, 2)).toEqual([lines[0]!.trim(), expect.stringMatching(/^\{"error":".*broke off/)])
  })
})

describe('POST /v1/models/delete', () => {
  it('removes it', async () => {
    const server = await ollama((_req, res) => void res.writeHead(200).end())
    const reply = await (await behind(server.url)).post('/v1/models/delete', pull, admin)
    expect([reply.status, reply.body]).toEqual([200, { model: 'llama3.1', deleted: true }])
    expect(server.asked).toEqual([`DELETE /api/delete ${named}`])
  })

  it("passes Ollama's refusal on", async () => {
    const server = await ollama((_req, res) => {
      res.writeHead(404, { 'content-type': 'application/json' })
      res.end('{"error":"model \'llama3.1\' not found"}')
    })
    const reply = await (await behind(server.url)).post('/v1/models/delete', pull, admin)
    expect([reply.status, errorOf(reply).message]).toEqual([404, "model 'llama3.1' not found"])
  })
})

describe.each(['/v1/models/pull', '/v1/models/delete'])('%s', (path) => {
  const fine = () => ollama((_req, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end('{}'))

  it('is for admins', async () => {
    const to = await behind((await fine()).url)
    expect((await to.post(path, pull)).status).toBe(403)
    expect((await to.post(path, pull, { as: 'nobody' })).status).toBe(401)
  })

  it('asks the route that is named, else the one that takes the model', async () => {
    const [one, two] = [await fine(), await fine()]
    const to = await door({
      providers: [
        { type: 'ollama', name: 'one', baseUrl: one.url, models: ['qwen*'] },
        { type: 'ollama', name: 'two', baseUrl: two.url, models: ['llama*'] },
      ],
    })
    await to.post(path, pull, admin)
    expect([one.asked.length, two.asked.length]).toEqual([0, 1])
    await to.post(path, pull, { ...admin, headers: { 'x-hoosh-provider': 'one' } })
    expect([one.asked.length, two.asked.length]).toEqual([1, 1])
    await to.post(path, { model: 'gemma3' }, admin)
    expect([one.asked.length, two.asked.length]).toEqual([2, 1])
  })

  it.each([
    ['nothing', {}],
    ['an empty name', { model: '' }],
    ['a name that is no text', { model: 7 }],
  ])('refuses %s', async (_what, body) => {
    const reply = await (await behind((await fine()).url)).post(path, body, admin)
    expect([reply.status, errorOf(reply).param]).toEqual([400, 'model'])
  })

  it('is not found where no provider keeps models', async () => {
    const reply = await (await door()).post(path, pull, admin)
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
  })

  it('is 502 where the server is not there', async () => {
    const reply = await (await behind(await deadUrl())).post(path, pull, admin)
    expect([reply.status, errorOf(reply).code]).toEqual([502, 'provider_error'])
  })
})

describe('GET /api/tags', () => {
  it('lists what a caller may use, as Ollama does', async () => {
    const to = await behind((await ollama()).url)
    const reply = await to.get('/api/tags')
    expect(reply.body).toEqual({
      models: [
        {
          name: 'llama3.1:latest',
          model: 'llama3.1:latest',
          modified_at: '',
          size: 0,
          digest: '',
          details: { family: 'ollama' },
        },
      ],
    })
    expect((await to.get('/api/tags', { as: 'nobody' })).status).toBe(401)
  })

  it('shadows no page of the host', async () => {
    expect((await (await door()).get('/api/tags')).status).toBe(404)
  })
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { door, errorOf } from '../support/door.js'

/** A Synapse server, and what it was asked. */
async function synapse() {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json')
      if (request.url === '/v1/training/gone') return response.writeHead(404).end('{"error":"no such job"}')
      if (request.url === '/v1/training/job-7') return response.end('{"job":"job-7","progress":0.5}')
      response.end('{"synced":3}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const to = await door({
    providers: [
      { type: 'demo' },
      { type: 'synapse', baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    ],
  })
  const post = (path: string, body: object) => to.post(path, body, { as: 'admin' })
  return { to, asked, post }
}

describe('a Synapse server', () => {
  it('is asked how far a job is', async () => {
    const { asked, post } = await synapse()
    const reply = await post('/v1/training/status', { job_id: 'job-7' })
    expect([reply.status, reply.body]).toEqual([200, { job: 'job-7', progress: 0.5 }])
    expect(asked).toEqual(['GET /v1/training/job-7'])
  })

  it('is asked to bring its catalogue up to date, which the log keeps', async () => {
    const { to, asked } = await synapse()
    const reply = await to.send('POST', '/v1/catalog/sync', { as: 'admin' })
    expect([reply.status, reply.body]).toEqual([200, { synced: 3 }])
    expect(asked).toEqual(['POST /v1/catalog/sync'])
    const { body } = await to.get('/v1/audit?event=admin.catalog_synced', { as: 'admin' })
    expect((body as { entries: unknown[] }).entries).toHaveLength(1)
  })

  it('says itself that there is no such job', async () => {
    const { post } = await synapse()
    const reply = await post('/v1/training/status', { job_id: 'gone' })
    expect([reply.status, errorOf(reply).message]).toEqual([404, 'no such job'])
  })

  it.each([{}, { job_id: '' }, { job_id: '..' }, { job_id: 'a/b' }, { job_id: 7 }])(
    'is not asked for %j',
    async (body) => {
      const { asked, post } = await synapse()
      const reply = await post('/v1/training/status', body)
      expect([reply.status, errorOf(reply).param]).toEqual([400, 'job_id'])
      expect(asked).toEqual([])
    },
  )

  it('is for admins, and 404 where there is none', async () => {
    const { to } = await synapse()
    expect((await to.post('/v1/training/status', { job_id: 'job-7' })).status).toBe(403)
    const without = await door()
    const reply = await without.post('/v1/training/status', { job_id: 'job-7' }, { as: 'admin' })
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
  })
})

import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { HooshError } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh } from '@hoosh/express'
import { sqlStorage } from '@hoosh/sql'
import express, { type NextFunction, type Request, type Response } from 'express'
import Database from 'libsql'
import OpenAI from 'openai'
import { demoLogin } from './login.js'
import { providersFrom } from './providers.js'

const page = readFileSync(new URL('../public/index.html', import.meta.url), 'utf8')

/** Starts the app. `database` is an SQLite file; `:memory:` forgets everything at the end. */
export async function listen({
  port,
  database,
  env = process.env,
}: {
  port: number
  database: string
  env?: NodeJS.ProcessEnv
}) {
  const db = new Database(database)
  const { tokens, middleware: login } = demoLogin()
  const { providers, model } = providersFrom(env)

  const ai = hoosh({
    providers,
    identify: (req: Request) =>
      req.user && { user: req.user.id, pool: `user:${req.user.id}`, roles: req.user.isAdmin ? ['admin'] : [] },
    pools: { 'user:*': { tokens: 20_000, window: 'day' } },
    storage: sqlStorage(db),
    migrate: true,
    audit: { key: 'example-only-take-yours-from-the-environment' },
  })

  const app = express()
  app.use(login)
  app.use(ai)
  app.use(express.json())

  app.get(
    '/',
    (_req, res) => void res.type('html').send(page.replaceAll('{{token}}', tokens.ada).replaceAll('{{model}}', model)),
  )

  // The app's own handlers use the same pools and the same log, in process.
  app.post('/summarise', async (req, res) => {
    const answer = await req.hoosh.chat({
      model,
      messages: [{ role: 'user', content: `Summarise in one sentence: ${String(req.body?.text ?? '')}` }],
    })
    await req.hoosh.audit.record('document.summarised', { characters: String(req.body?.text ?? '').length })
    res.json({ text: answer.choices[0]?.message.content, left: await req.hoosh.budget.available() })
  })

  // Any client that takes a `fetch` runs under the caller's budget, without a network hop.
  app.post('/haiku', async (req, res) => {
    const openai = new OpenAI({ baseURL: 'http://hoosh/v1', apiKey: 'in-process', fetch: req.hoosh.fetch })
    const answer = await openai.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Write a haiku.' }],
    })
    res.json({ text: answer.choices[0]?.message.content })
  })

  // Other APIs than hoosh's own: no page, but an error that clients can read.
  app.all(/^\/v1\//, toNodeHandler(ai.gateway))

  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const isTold = error instanceof HooshError || error instanceof OpenAI.APIError
    const status = isTold ? (error.status ?? 502) : 500
    res.status(status).json({ error: { message: isTold ? error.message : 'Something went wrong.' } })
  })

  // The page carries Ada's token, so nobody but this machine may open it.
  const server = app.listen(port, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  return {
    url,
    tokens,
    model,
    providers: providers.map(({ type }) => type),
    async close() {
      await ai.gateway.close()
      await new Promise((resolve) => server.close(resolve))
      db.close()
    },
  }
}

import { randomBytes } from 'node:crypto'
import { hoosh } from '@hoosh/koa'
import Koa from 'koa'
import bodyParser from 'koa-bodyparser'

/** Who can sign in here, with their passwords. */
const PEOPLE: Readonly<Record<string, string>> = { ada: 'lovelace', grace: 'hopper' }

/** An app with a login of its own, by a signed cookie, and hoosh behind it. */
export function createApp({ model }: { model: string }) {
  const app = new Koa({ keys: [randomBytes(32).toString('base64url')] })

  const ai = hoosh({
    identify: (ctx) => {
      const user = ctx.cookies.get('user', { signed: true })
      return user && { user, pool: `user:${user}` }
    },
    pools: { 'user:*': { tokens: 20_000, window: 'day' } },
  })
  app.use(ai)
  app.use(bodyParser())

  app.use(async (ctx, next) => {
    if (ctx.method !== 'POST' || ctx.path !== '/login') return next()
    const { name, password } = ctx.request.body as { name: string; password: string }
    if (!Object.hasOwn(PEOPLE, name) || PEOPLE[name] !== password) ctx.throw(401, 'No such name and password.')
    ctx.cookies.set('user', name, { signed: true, httpOnly: true, sameSite: 'strict' })
    ctx.body = { hello: name }
  })

  // The app's own handlers use the same pools and the same log, in process. Where nobody is signed in, or the budget is
  // spent, `chat` rejects with an error that has a status, and Koa answers with that.
  app.use(async (ctx) => {
    if (ctx.method !== 'POST' || ctx.path !== '/translate') return
    const { text, to } = ctx.request.body as { text: string; to: string }
    const answer = await ctx.hoosh.chat({
      model,
      messages: [{ role: 'user', content: `Translate into ${to}, and say nothing else: ${text}` }],
    })
    ctx.body = { text: answer.choices[0]?.message.content, left: await ctx.hoosh.budget.available() }
  })

  return { app, gateway: ai.gateway }
}

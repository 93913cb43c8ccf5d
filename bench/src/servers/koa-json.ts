import Koa from 'koa'
import bodyParser from 'koa-bodyparser'
import { request } from 'undici'
import { CHAT_PATH } from '../payload.js'
import { serve, upstreamUrl } from './serve.js'

// What a team writes by hand: parse, look, stringify, forward.

const app = Object.assign(new Koa(), { silent: true }) // it logs clients that leave
app.use(bodyParser())
app.use(async (ctx) => {
  const asked = ctx.request.body as { stream?: boolean }
  const answer = await request(upstreamUrl + CHAT_PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-bench' },
    body: JSON.stringify(asked),
  })
  ctx.status = answer.statusCode
  if (asked.stream !== true) {
    ctx.body = await answer.body.json()
    return
  }
  ctx.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  ctx.body = answer.body // piped by Koa, which destroys it with its reader
})
serve(app.callback())

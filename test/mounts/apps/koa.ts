import { buffer } from 'node:stream/consumers'
import { hoosh } from '@hoosh/koa'
import Koa from 'koa'
import bodyParser from 'koa-bodyparser'
import compress from 'koa-compress'
import mount from 'koa-mount'
import Koa2 from 'koa2'
import { serve } from '../../support/mounts.js'
import { type AppPlan, gatewayOf, hostAnswer, type Mount, settingsOf } from '../plan.js'

const mountOn = (name: string, Framework: typeof Koa): Mount => ({
  name,
  hasNext: true,
  seesSocket: true,
  without: {},
  async start({ parser, compression, gateways: plans }: AppPlan) {
    const app = Object.assign(new Framework(), { silent: true }) // it logs clients that leave
    const gateways = plans.map(gatewayOf)
    if (compression) app.use(compress({ threshold: 0 }))
    if (parser === 'json') app.use(bodyParser({ jsonLimit: '20mb' }))
    if (parser === 'raw') {
      app.use(async (ctx, next) => {
        ctx.request.body = await buffer(ctx.req)
        await next()
      })
    }
    for (const [index, plan] of plans.entries()) {
      app.use(mount(plan.path || '/', hoosh(gateways[index]!, settingsOf(plan))))
    }
    app.use(async (ctx) => {
      const { status, text } = await hostAnswer(ctx.path, () => ctx.hoosh)
      Object.assign(ctx, { status, body: text })
    })
    return serve(app.callback(), gateways)
  },
})

export const koa3Mount = mountOn('Koa 3', Koa)
export const koa2Mount = mountOn('Koa 2', Koa2)

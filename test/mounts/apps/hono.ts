import { getRequestListener } from '@hono/node-server'
import { toFetchHandler } from '@hoosh/core/fetch'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { cloneRawRequest } from 'hono/request'
import { validator } from 'hono/validator'
import { serve } from '../../support/mounts.js'
import { type AppPlan, gatewayOf, hostAnswer, type Mount, settingsOf } from '../plan.js'

export const honoMount: Mount = {
  name: 'fetch (Hono)',
  hasNext: false,
  seesSocket: false,
  without: {
    'a body that the host keeps as it came':
      'does not apply: a web request has no such place; its clone is the case above',
    'an error of hoosh that a handler lets pass becomes the answer of the framework':
      'does not apply: Hono takes the status of its own errors only',
  },
  async start({ parser, compression, gateways: plans }: AppPlan) {
    const app = new Hono()
    if (compression) app.use(compress({ threshold: 0 }))
    if (parser === 'json') app.use(validator('json', (value) => value))
    const handlers = plans.map((plan) => {
      const { path, options } = plan
      const handler = toFetchHandler(gatewayOf({ ...plan, options: { ...options, basePath: path } }), settingsOf(plan))
      app.get(`${path}/whoami`, async (c) => {
        const { text } = await hostAnswer(c.req.path, () => handler.context(c.req.raw))
        return c.text(text)
      })
      app.all(`${path}/*`, async (c) => handler(parser === undefined ? c.req.raw : await cloneRawRequest(c.req)))
      return handler
    })
    return serve(
      getRequestListener(app.fetch),
      handlers.map(({ gateway }) => gateway),
    )
  },
}

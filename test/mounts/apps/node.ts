import { buffer } from 'node:stream/consumers'
import { toNodeHandler } from '@hoosh/core/node'
import compression from 'compression'
import { serve } from '../../support/mounts.js'
import { type AppPlan, gatewayOf, hostAnswer, type Mount, settingsOf } from '../plan.js'

export const nodeMount: Mount = {
  name: 'node:http',
  hasNext: false,
  seesSocket: true,
  without: {
    'a body that the host has parsed':
      'does not apply: node:http has no parsers; bytes that a host keeps are the case below',
    'an error of hoosh that a handler lets pass becomes the answer of the framework':
      'does not apply: node:http answers no errors',
  },
  async start({ parser, compression: compresses, gateways: plans }: AppPlan) {
    const compress = compression({ threshold: 0 })
    const mounts = plans.map((plan) => {
      const gateway = gatewayOf({ ...plan, options: { ...plan.options, basePath: plan.path } })
      return { path: plan.path, handler: toNodeHandler(gateway, settingsOf(plan)) }
    })
    return serve(
      async (req, res) => {
        if (parser === 'raw') Object.assign(req, { rawBody: await buffer(req) })
        const { handler } = mounts.find(({ path }) => req.url!.startsWith(`${path}/`)) ?? mounts[0]!
        const answer = async () => res.end((await hostAnswer(req.url!, () => handler.context(req))).text)
        const handle = () => (req.url!.endsWith('/whoami') ? answer() : handler(req, res))
        if (compresses) compress(req as never, res as never, handle)
        else handle()
      },
      mounts.map(({ handler }) => handler.gateway),
    )
  },
}

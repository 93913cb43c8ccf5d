import { hoosh } from '@hoosh/express'
import compression from 'compression'
import express from 'express'
import express4 from 'express4'
import { serve } from '../../support/mounts.js'
import { type AppPlan, gatewayOf, hostAnswer, type Mount, settingsOf } from '../plan.js'

const mountOn = (name: string, framework: typeof express): Mount => ({
  name,
  hasNext: true,
  seesSocket: true,
  without: {},
  async start({ parser, compression: compresses, gateways: plans }: AppPlan) {
    const app = framework()
    const gateways = plans.map(gatewayOf)
    if (compresses) app.use(compression({ threshold: 0 }))
    if (parser === 'json') app.use(framework.json({ limit: '20mb' }))
    if (parser === 'raw') app.use(framework.raw({ type: () => true, limit: '20mb' }))
    for (const [index, plan] of plans.entries()) app.use(plan.path || '/', hoosh(gateways[index]!, settingsOf(plan)))
    app.use((req, res, next) => {
      const answer = hostAnswer(req.path, () => req.hoosh)
      answer.then(({ status, text }) => res.status(status).send(text)).catch(next)
    })
    app.set('env', 'test') // else it logs errors
    return serve(app, gateways)
  },
})

export const express5Mount = mountOn('Express 5', express)
export const express4Mount = mountOn('Express 4', express4)

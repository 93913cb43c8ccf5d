import { z } from 'zod'
import { HooshError } from '../errors.js'
import type { GatewayReply } from '../exchange.js'
import type { Engine } from '../inference/engine.js'
import type { UpstreamAnswer, UpstreamFailure } from '../providers/provider.js'
import { type Exchange, json, type RouteDefinition } from './route.js'
import { validated } from './validate.js'

/** One segment of a path that no server takes for a way up. */
const body = z.looseObject({
  job_id: z
    .string({ error: 'is required: the id of a job' })
    .regex(/^(?!\.+$)[\w.:-]{1,128}$/, 'has to be the id of a job: letters, digits, "-", "_", ".", ":"'),
})

/** How far a training job is, in Synapse's own words. */
export const trainingStatus: RouteDefinition = {
  method: 'POST',
  path: '/v1/training/status',
  access: 'admin',
  async handle(exchange, engine) {
    const { job_id: job } = validated(body, (await exchange.readJson()).value)
    const { training } = serverFor(exchange, engine)
    return relayed(await training.status(job, exchange.request.signal), exchange)
  },
}

/** Has Synapse bring its catalogue of models up to date. */
export const catalogSync: RouteDefinition = {
  method: 'POST',
  path: '/v1/catalog/sync',
  access: 'admin',
  async handle(exchange, engine) {
    const { training, route } = serverFor(exchange, engine)
    const { audit } = engine
    if (audit !== null) {
      const record = audit.record({
        event: 'admin.catalog_synced',
        level: 'warn',
        message: `The provider "${route.name}" was asked to bring its catalogue up to date.`,
        provider: route.type,
        subject: exchange.caller.user,
        requestId: exchange.requestId,
        metadata: { route: route.name },
      })
      await audit.stage(record)
    }
    return relayed(await training.syncCatalog(exchange.request.signal), exchange)
  },
}

/** The route that `x-hoosh-provider` names, else the first that trains. */
function serverFor(exchange: Exchange, engine: Engine) {
  const name = exchange.request.header('x-hoosh-provider')
  const routes = engine.router.routes
    .filter((route) => route.enabled && (name === undefined || route.name === name))
    .sort((a, b) => a.priority - b.priority)
  for (const route of routes) {
    const { training } = route.provider
    if (training !== undefined) return { route, training }
  }
  const which = name === undefined ? 'No provider here' : `No provider named "${name}"`
  throw new HooshError('not_found', { message: `${which} trains models, as Synapse does.` })
}

function relayed(answer: UpstreamAnswer | UpstreamFailure, exchange: Exchange): GatewayReply {
  if (!answer.ok) throw answer.error
  return { ...json({}, exchange), body: answer.bytes }
}

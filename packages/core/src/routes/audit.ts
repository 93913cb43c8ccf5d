import { z } from 'zod'
import type { AuditLog } from '../audit/log.js'
import { HooshError } from '../errors.js'
import type { GatewayReply } from '../exchange.js'
import type { Engine } from '../inference/engine.js'
import { type Exchange, json, type RouteDefinition } from './route.js'
import { idText, text } from './schemas.js'
import { validated } from './validate.js'

const whole = (low: number, high: number) => {
  const error = `must be a whole number from ${low} to ${high}`
  return z.coerce.number({ error }).int({ error }).min(low, { error }).max(high, { error })
}

const moment = z.string().transform((text, context) => {
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isSafeInteger(ms)) return ms
  context.addIssue({ code: 'custom', message: 'must be a time, ISO 8601 or milliseconds since the epoch' })
  return z.NEVER
})

const filterQuery = z.object({
  event: idText.optional(),
  subject: idText.optional(),
  model: idText.optional(),
  from: moment.optional(),
  to: moment.optional(),
  limit: whole(1, 1_000).default(100),
  cursor: text(200).optional(),
})

const exportQuery = filterQuery.omit({ limit: true, cursor: true }).extend({ writer: text(512).optional() })
const checkpointsQuery = exportQuery.pick({ writer: true })

/** Entries of the log, the newest page, oldest first: the caller's own, everybody's for an admin. */
export const audit: RouteDefinition = {
  method: 'GET',
  path: '/v1/audit',
  access: 'identity',
  async handle(exchange, engine) {
    const log = logOf(engine)
    const { caller, request } = exchange
    const filter = validated(filterQuery, Object.fromEntries(request.query))
    const found = await log.query({ ...filter, ...(caller.admin ? {} : { subject: caller.user }) })
    return json({ ...found, ...log.status() }, exchange)
  },
}

/** The log as lines of canonical JSON, for whoever checks it elsewhere. That it was taken is recorded first. */
export const auditExport: RouteDefinition = {
  method: 'GET',
  path: '/v1/audit/export',
  access: 'admin',
  async handle(exchange, engine) {
    const log = logOf(engine)
    const filter = validated(exportQuery, Object.fromEntries(exchange.request.query))
    const record = log.record({
      event: 'admin.audit_exported',
      level: 'warn',
      message: 'The audit log was exported.',
      subject: exchange.caller.user,
      requestId: exchange.requestId,
      metadata: { filter },
    })
    await log.stage(record)
    return lines(exchange, await log.export(filter), 'audit')
  },
}

/** Signed checkpoints, one a line, as they were handed to the host. */
export const auditCheckpoints: RouteDefinition = {
  method: 'GET',
  path: '/v1/audit/checkpoints',
  access: 'admin',
  handle(exchange, engine) {
    const filter = validated(checkpointsQuery, Object.fromEntries(exchange.request.query))
    return lines(exchange, logOf(engine).checkpoints(filter), 'checkpoints')
  },
}

/** What the gateway knows of its log after it has looked at what is new. */
export const auditVerify: RouteDefinition = {
  method: 'GET',
  path: '/v1/audit/verify',
  access: 'admin',
  handle: async (exchange, engine) => json(await logOf(engine).verify(), exchange),
}

function logOf({ audit: log }: Engine): AuditLog {
  if (log === null) throw new HooshError('not_found', { message: 'The audit log is turned off here.' })
  return log
}

/** Piece by piece as the client takes them. The first is read before anything is sent: until then an error has its status. */
async function lines(exchange: Exchange, pieces: AsyncGenerator<string>, name: string): Promise<GatewayReply> {
  const first = await pieces.next()
  return {
    status: 200,
    headers: {
      'content-type': 'application/x-ndjson',
      'content-disposition': `attachment; filename="${name}.ndjson"`,
      'cache-control': 'no-store',
      'x-request-id': exchange.requestId,
    },
    async body(sink) {
      for (let next = first; next.done !== true && !sink.closed; next = await pieces.next())
        await sink.write(next.value)
      await pieces.return(undefined)
    },
  }
}

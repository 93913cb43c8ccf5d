import { z } from 'zod'
import { HooshError } from '../errors.js'
import { json, type RouteDefinition } from './route.js'
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
  event: z.string().optional(),
  subject: z.string().optional(),
  model: z.string().optional(),
  from: moment.optional(),
  to: moment.optional(),
  limit: whole(1, 1_000).default(100),
  cursor: z.string().max(200).optional(),
})

/** Entries of the log, the newest page, oldest first: the caller's own, everybody's for an admin. */
export const audit: RouteDefinition = {
  method: 'GET',
  path: '/v1/audit',
  access: 'identity',
  async handle(exchange, engine) {
    if (engine.audit === null) throw new HooshError('not_found', { message: 'The audit log is turned off here.' })
    const { caller, request } = exchange
    const filter = validated(filterQuery, Object.fromEntries(request.query))
    const found = await engine.audit.query({ ...filter, ...(caller.admin ? {} : { subject: caller.user }) })
    return json({ ...found, ...engine.audit.status() }, exchange)
  },
}

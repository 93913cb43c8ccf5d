import type { z } from 'zod'
import { HooshError } from '../errors.js'
import { shortened } from './route.js'

/**
 * The value, checked by a schema.
 *
 * @throws HooshError `invalid_request` that names the first field at fault
 */
export function validated<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { param, what } = faultOf(result.error.issues[0]!)
  throw new HooshError('invalid_request', {
    message: param === '' ? what : `${param}: ${what}`,
    details: param === '' ? {} : { param },
  })
}

function faultOf(issue: z.core.$ZodIssue): { param: string; what: string } {
  if (issue.code !== 'unrecognized_keys') return { param: issue.path.join('.'), what: issue.message }
  // A name of the caller's own, of any length.
  const unknown = shortened(issue.keys[0]!)
  return { param: [...issue.path, unknown].join('.'), what: 'is no field of this request' }
}

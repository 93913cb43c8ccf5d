import type { z } from 'zod'
import { HooshError } from '../errors.js'

/**
 * The value, checked by a schema.
 *
 * @throws HooshError `invalid_request` that names the first field at fault
 */
export function validated<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path
  const param = path.join('.')
  throw new HooshError('invalid_request', {
    message: param === '' ? issue.message : `${param}: ${issue.message}`,
    details: param === '' ? {} : { param },
  })
}

import type { z } from 'zod'
import { HooshError } from '../errors.js'

/** A longer list of faults is not read anyway. */
const SHOWN_FAULTS = 5

/**
 * Refuses what does not fit.
 *
 * @param whole what the value is called
 * @param of follows the name of a field of it, where that alone does not say whose it is
 * @throws HooshError `invalid_options`: every fault by its name, with what it has to be
 */
export function checkShape(schema: z.ZodType, value: unknown, whole: string, of = ''): void {
  const result = schema.safeParse(value)
  if (result.success) return
  const faults = result.error.issues.map(({ path, message }) => {
    const name = path.length === 0 ? whole : `${nameOf(path)}${of}`
    return `${name} ${message}${message.endsWith('?') ? '' : '.'}`
  })
  const rest = faults.length - SHOWN_FAULTS
  const more = rest > 0 ? ` And ${rest} more.` : ''
  throw new HooshError('invalid_options', { message: `${faults.slice(0, SHOWN_FAULTS).join(' ')}${more}` })
}

/** `providers[0].models`, `pools["user:*"].usd`. */
function nameOf(path: readonly PropertyKey[]): string {
  const names = path.map((key) => {
    if (typeof key === 'number') return `[${key}]`
    return /^[A-Za-z_$][\w$]*$/.test(String(key)) ? `.${String(key)}` : `["${String(key)}"]`
  })
  return names.join('').replace(/^\./, '')
}

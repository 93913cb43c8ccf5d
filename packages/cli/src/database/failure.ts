import { FAILED_CODE, UNAVAILABLE_CODE } from '../command.js'

/** What a command ends with. */
export interface Failure {
  readonly message: string
  readonly code: number
}

/**
 * What an error of a storage comes to for whoever runs a command; null for any other. Told by its code: the app's packages
 * bring a HooshError of their own. What the driver said is told too, since it is their own terminal.
 */
export function failureOf(error: unknown): Failure | null {
  const { code, message, cause } = Object(error) as { code?: unknown; message?: unknown; cause?: unknown }
  if (code === 'not_ready') return { message: String(message), code: FAILED_CODE }
  if (code !== 'store_unavailable') return null
  const said = saidBy(cause)
  if (said === null) return { message: String(message), code: UNAVAILABLE_CODE }
  const { code: state } = Object(cause) as { code?: unknown }
  if (typeof state !== 'string' || !/^[0-9A-Z]{5}$/.test(state))
    return { message: `The storage cannot be read: ${said}.`, code: UNAVAILABLE_CODE }
  return { message: `The database refuses: ${said}. Nothing was changed.`, code: FAILED_CODE }
}

/** Words of a driver's error; several attempts to connect come as one error without words. */
export function saidBy(error: unknown): string | null {
  if (error === undefined || error === null) return null
  const { message, code } = Object(error) as { message?: unknown; code?: unknown }
  return typeof message === 'string' && message !== '' ? message : String(code)
}

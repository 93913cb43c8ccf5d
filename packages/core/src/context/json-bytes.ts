/** What JSON has to escape, or may have to: then only writing it tells. */
const MAY_NEED_ESCAPES = /[^ !#-[\]-\ud7ff\ue000-\uffff]/

/**
 * UTF-8 bytes of a value as compact JSON, without writing it: what `JSON.stringify` would give for what `JSON.parse` gave.
 */
export function jsonBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return MAY_NEED_ESCAPES.test(value) ? Buffer.byteLength(JSON.stringify(value)) : Buffer.byteLength(value) + 2
    case 'number':
      return Number.isFinite(value) ? String(value).length : 4
    case 'boolean':
      return value ? 4 : 5
    case 'object':
      return value === null
        ? 4
        : Array.isArray(value)
          ? arrayBytes(value)
          : objectBytes(value as Record<string, unknown>)
    default:
      return 0
  }
}

function arrayBytes(values: readonly unknown[]): number {
  let bytes = 2 + Math.max(0, values.length - 1)
  for (const value of values) bytes += value === undefined ? 4 : jsonBytes(value)
  return bytes
}

function objectBytes(fields: Record<string, unknown>): number {
  let bytes = 1
  for (const key in fields) if (fields[key] !== undefined) bytes += jsonBytes(key) + jsonBytes(fields[key]) + 2
  return Math.max(2, bytes)
}

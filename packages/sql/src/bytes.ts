/** libsql gives blobs as ArrayBuffers, other drivers as Buffers; an empty one is nothing to some. */
export function bytesOf(value: unknown): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  return value instanceof Uint8Array ? value : new Uint8Array()
}

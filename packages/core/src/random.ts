import { randomUUID } from 'node:crypto'

/** `bytes` random bytes. The gateway's own, so that a test can replay a run. */
export type Random = (bytes: number) => Uint8Array

/** Makes ids: UUID v4, from `random` where the host gave one, else from the operating system. */
export function idsFrom(random: Random | undefined): () => string {
  if (random === undefined) return randomUUID
  return () => {
    const bytes = Buffer.from(random(16))
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const hex = bytes.toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }
}

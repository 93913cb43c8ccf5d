import type { PayloadStore, StoredPayload, SubjectKey } from './payload-store.js'

/**
 * Payloads of one process, in memory: gone with the process.
 *
 * Keeps the newest `maxBytes` of them (64 MiB); keys stay.
 */
export function memoryPayloads({ maxBytes = 64 * 1024 * 1024 }: { maxBytes?: number } = {}): PayloadStore {
  const payloads = new Map<string, StoredPayload>()
  const keys = new Map<string, SubjectKey>()
  let bytes = 0
  const remove = (id: string) => {
    bytes -= payloads.get(id)?.sealed.byteLength ?? 0
    return payloads.delete(id)
  }
  const isKeyOf = ({ subject, key }: Pick<StoredPayload, 'subject' | 'key'>) => keys.get(subject)?.id === key
  return {
    put(payload) {
      if (payloads.has(payload.id)) return true
      if (!isKeyOf(payload)) return false
      payloads.set(payload.id, payload)
      bytes += payload.sealed.byteLength
      for (const id of payloads.keys()) {
        if (bytes <= maxBytes) break
        remove(id)
      }
      return true
    },
    get(id) {
      const payload = payloads.get(id)
      if (payload === undefined) return null
      return { payload, key: isKeyOf(payload) ? keys.get(payload.subject)! : null }
    },
    remove: (id) => void remove(id),
    key: (subject) => keys.get(subject) ?? null,
    addKey(key) {
      const stands = keys.get(key.subject) ?? key
      keys.set(key.subject, stands)
      return stands
    },
    rewrap(key) {
      if (keys.get(key.subject)?.id !== key.id) return false
      keys.set(key.subject, key)
      return true
    },
    wrappedByOthers: (wrappedBy, limit) =>
      [...keys.values()].filter((key) => key.wrappedBy !== wrappedBy).slice(0, limit),
    erase: (subject) => keys.delete(subject),
    drop(before, limit) {
      const old = [...payloads.values()].filter(({ at }) => at < before).slice(0, limit)
      for (const { id } of old) remove(id)
      return old.length
    },
  }
}

import type { KeyFilter, KeyRecord, KeyStore } from './store.js'

/** Keys in this process's memory: gone with it. */
export function memoryKeys(): KeyStore {
  const keys = new Map<string, KeyRecord>()
  return {
    add(key) {
      if (keys.has(key.id)) return false
      keys.set(key.id, key)
      return true
    },
    get: (id) => keys.get(id) ?? null,
    list: (filter) => listed(keys, filter),
    replace(key) {
      if (keys.get(key.id)?.version !== key.version - 1) return false
      keys.set(key.id, key)
      return true
    },
    remove: (id) => void keys.delete(id),
  }
}

function listed(keys: ReadonlyMap<string, KeyRecord>, { user, before, limit }: KeyFilter): KeyRecord[] {
  const fitting = [...keys.values()].filter(
    (key) => (user === undefined || key.user === user) && (before === undefined || key.id < before),
  )
  return fitting.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit)
}

import type { CacheStore } from '@hoosh/core/storage'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering } = faultsOf<CacheStore>()

const HOUR = 3_600_000
const DAY = 24 * HOUR
const none = new Uint8Array()

export const cacheMutants: readonly Mutant<CacheStore>[] = [
  ...misanswering('get', ['']),
  ignoring('get', 'the case of keys', (key) => [key.toLowerCase()]),
  ignoring('get', 'keys behind the 511th character', (key) => [key.slice(0, 511)]),
  idle('put', true),
  idle('put', false),
  ...twice('put'),
  ...misanswering('put', ['']),
  ignoring('put', 'key', (_key, ...rest) => ['k', ...rest]),
  ignoring('put', 'value', (key, _value, ttlMs) => [key, none, ttlMs]),
  ignoring('put', 'what stands behind a mebibyte', (key, value, ttlMs) => [key, value.subarray(0, 1_048_575), ttlMs]),
  ...[200, HOUR, DAY, 30 * DAY].flatMap((most) => [
    ignoring('put', `ttlMs above ${most}`, (key, value, ttlMs) => [key, value, Math.min(ttlMs, most)]),
    ignoring('putIfAbsent', `ttlMs above ${most}`, (key, value, ttlMs) => [key, value, Math.min(ttlMs, most)]),
  ]),
  ignoring('put', 'ttlMs', (key, value) => [key, value, 365 * DAY]),
  ignoring('putIfAbsent', 'ttlMs', (key, value) => [key, value, 365 * DAY]),
  faulty('put', 'writes only where nothing stands', async (act, [key, value, ttlMs], store) =>
    (await store.get(key)) === null ? act(key, value, ttlMs) : true,
  ),
  faulty('put', 'leaves the time of what stood there', async (act, [key, value, ttlMs], store) =>
    act(key, value, (await store.get(key)) === null ? ttlMs : 200),
  ),
  faulty('putIfAbsent', 'writes what is pushed out', async (_act, [key, value, ttlMs], store) => {
    const stands = await store.get(key)
    if (stands === null) await store.put(key, value, ttlMs)
    return stands
  }),
  faulty('put', 'makes what putIfAbsent wrote an entry like others', async (act, [key, ...rest], store) => {
    await store.delete(key)
    return act(key, ...rest)
  }),
  faulty('put', 'keeps nothing above 4 MiB', (act, [key, value, ttlMs]) =>
    value.byteLength > 4 * 1_048_576 ? false : act(key, value, ttlMs),
  ),
  idle('putIfAbsent', null),
  ...twice('putIfAbsent'),
  ...misanswering('putIfAbsent', ['']),
  ignoring('putIfAbsent', 'key', (_key, ...rest) => ['k', ...rest]),
  ignoring('putIfAbsent', 'value', (key, _value, ttlMs) => [key, none, ttlMs]),
  ignoring('putIfAbsent', 'value behind a kibibyte', (key, value, ttlMs) => [key, value.subarray(0, 1_024), ttlMs]),
  faulty('putIfAbsent', 'hands out its own value', async (act, [key, value, ttlMs]) =>
    (await act(key, value, ttlMs)) === null ? null : value,
  ),
  faulty('putIfAbsent', 'renews what stands there', async (act, [key, value, ttlMs], store) => {
    const stands = await act(key, value, ttlMs)
    if (stands !== null) await store.put(key, stands, ttlMs)
    return stands
  }),
  faulty('putIfAbsent', 'writes all the same', async (act, [key, value, ttlMs], store) => {
    const stands = await act(key, value, ttlMs)
    if (stands !== null) await store.put(key, value, ttlMs)
    return stands
  }),
  idle('delete', undefined),
  ...twice('delete'),
  ignoring('delete', 'key', () => ['k']),
]

export const cacheEquivalents = {
  'put acts twice, and answers as the first time': 'the last of several stands',
  'put acts twice, and answers as the second time': 'the last of several stands',
  'putIfAbsent acts twice, and answers as the first time': 'the second one changes nothing',
  'delete acts twice, and answers as the first time': 'what is not there is forgotten already',
  'delete acts twice, and answers as the second time': 'what is not there is forgotten already',
}

import type { KeyRecord, KeyStore } from '@hoosh/core/storage'
import { altered } from './altered.js'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering, reversing } = faultsOf<KeyStore>()

const FIELDS = [
  ...['id', 'version', 'user', 'name', 'createdBy', 'createdAt', 'secrets', 'secrets.*.hash', 'secrets.*.until'],
  ...['expiresAt', 'revokedAt', 'pools', 'models', 'limits', 'limits.requestsPerMinute', 'limits.tokensPerMinute'],
  ...['limits.concurrent', 'userLimits', 'priority', 'tools', 'metadata', 'ipRanges'],
]
const without = (key: KeyRecord, path: string): KeyRecord => altered(key, path, () => undefined)
const KEPT = FIELDS.filter((path) => path !== 'id')

export const keyMutants: readonly Mutant<KeyStore>[] = [
  idle('add', true),
  idle('add', false),
  ...twice('add'),
  ...misanswering('add', ['']),
  ...KEPT.map((path) => ignoring('add', path, (key) => [without(key, path)])),
  faulty('add', 'writes over what it knows', async (act, [key], store) => {
    const known = await store.get(key.id)
    await store.remove(key.id)
    await act(key)
    return known === null
  }),
  ...misanswering('get', ['', ...FIELDS]),
  faulty('get', 'finds none that was revoked', async (act, [id]) => {
    const key = await act(id)
    return key?.revokedAt == null ? key : null
  }),
  ...misanswering('list', ['', ...FIELDS.map((path) => `*.${path}`)]),
  reversing('list', ''),
  ...['user', 'before'].map((field) =>
    ignoring('list', field, ({ [field as 'user']: _left, ...filter }) => [{ ...filter }]),
  ),
  ignoring('list', 'limit', (filter) => [{ ...filter, limit: 1_000 }]),
  ignoring('list', 'the case of users', ({ user, ...filter }) => [
    { ...filter, ...(user !== undefined && { user: user.toLowerCase() }) },
  ]),
  idle('replace', true),
  idle('replace', false),
  ...twice('replace'),
  ...misanswering('replace', ['']),
  ...KEPT.map((path) => ignoring('replace', path, (key) => [without(key, path)])),
  faulty('replace', 'does not look at the version it replaces', async (act, [key], store) => {
    const known = await store.get(key.id)
    if (known === null) return false
    return (await act({ ...key, version: known.version + 1 })) && true
  }),
  faulty('replace', 'adds what is not there', async (act, [key], store) => (await store.add(key)) || act(key)),
  idle('remove', undefined),
  ...twice('remove'),
  faulty('remove', 'removes all', async (act, [id], store) => {
    for (const key of await store.list({ limit: 1_000 })) await act(key.id)
    return act(id)
  }),
]

export const keyEquivalents = {
  'add acts twice, and answers as the first time': 'a known id changes nothing',
  'replace acts twice, and answers as the first time': 'the second one has no version to replace',
  'remove acts twice, and answers as the first time': 'what is not there is forgotten already',
  'remove acts twice, and answers as the second time': 'what is not there is forgotten already',
}

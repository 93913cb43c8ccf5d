import type { PayloadStore } from '@hoosh/core/storage'
import { altered } from './altered.js'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering } = faultsOf<PayloadStore>()

const PAYLOAD = ['id', 'subject', 'key', 'at', 'sealed']
const KEY = ['subject', 'id', 'wrappedBy', 'wrapped']
const OTHERS: Readonly<Record<string, unknown>> = {
  subject: 'b'.repeat(64),
  id: 'k1',
  key: 'k1',
  at: 5,
  wrappedBy: 'w1',
}
const otherOf = (field: string) => OTHERS[field] ?? Uint8Array.from([7])

export const payloadMutants: readonly Mutant<PayloadStore>[] = [
  idle('put', true),
  idle('put', false),
  ...twice('put'),
  ...misanswering('put', ['']),
  ...PAYLOAD.map((field) => ignoring('put', field, (payload) => [altered(payload, field, () => otherOf(field))])),
  ignoring('put', 'what stands behind 64 KiB', (payload) => [
    { ...payload, sealed: payload.sealed.subarray(0, 65_536) },
  ]),
  faulty('put', 'writes over what it knows', async (act, [payload], store) => {
    await store.remove(payload.id)
    return act(payload)
  }),
  ...misanswering('get', [
    ...['', 'payload', ...PAYLOAD.map((field) => `payload.${field}`), 'key', ...KEY.map((field) => `key.${field}`)],
  ]),
  faulty('get', 'finds nothing without a key', async (act, [id]) => {
    const found = await act(id)
    return found?.key === null ? null : found
  }),
  faulty('get', 'gives the key that its subject has now', async (act, [id], store) => {
    const found = await act(id)
    return found && { ...found, key: await store.key(found.payload.subject) }
  }),
  idle('remove', undefined),
  ...twice('remove'),
  ignoring('remove', 'id', () => ['p1']),
  ...misanswering('key', ['', ...KEY]),
  ignoring('key', 'subject', () => ['a'.repeat(64)]),
  ...twice('addKey'),
  ...misanswering('addKey', ['', ...KEY]),
  ...KEY.map((field) => ignoring('addKey', field, (key) => [altered(key, field, () => otherOf(field))])),
  faulty('addKey', 'puts its own in the place of what stands', async (act, [key], store) => {
    await store.erase(key.subject)
    return act(key)
  }),
  faulty('addKey', 'answers with its own', async (act, [key]) => {
    await act(key)
    return key
  }),
  idle('rewrap', true),
  idle('rewrap', false),
  ...twice('rewrap'),
  ...misanswering('rewrap', ['']),
  ...KEY.map((field) => ignoring('rewrap', field, (key) => [altered(key, field, () => otherOf(field))])),
  faulty('rewrap', 'gives a subject back the key that was erased', async (act, [key], store) => {
    const isDone = await act(key)
    if (!isDone && (await store.key(key.subject)) === null) await store.addKey(key)
    return isDone
  }),
  faulty('rewrap', 'puts another key in the place of one', async (act, [key], store) => {
    const known = await store.key(key.subject)
    if (known === null || known.id === key.id) return act(key)
    await act({ ...key, id: known.id })
    return false
  }),
  ...misanswering('wrappedByOthers', ['', ...KEY.map((field) => `*.${field}`)]),
  ignoring('wrappedByOthers', 'wrappedBy', (_wrappedBy, limit) => ['nobody', limit]),
  ignoring('wrappedByOthers', 'limit', (wrappedBy) => [wrappedBy, 1_000]),
  idle('erase', true),
  idle('erase', false),
  ...twice('erase'),
  ...misanswering('erase', ['']),
  ignoring('erase', 'subject', () => ['a'.repeat(64)]),
  faulty('erase', 'drops the payloads too', async (act, [subject], store) => {
    const wasThere = await act(subject)
    for (const id of ['p1', 'p2']) if ((await store.get(id))?.payload.subject === subject) await store.remove(id)
    return wasThere
  }),
  idle('drop', 0),
  idle('drop', 1),
  ...twice('drop'),
  ...misanswering('drop', ['']),
  ignoring('drop', 'before', (_before, limit) => [Number.MAX_SAFE_INTEGER, limit]),
  ignoring('drop', 'that `before` is not in', (before, limit) => [before + 1, limit]),
  ignoring('drop', 'limit', (before) => [before, 1_000]),
  faulty('drop', 'drops the keys of others too', async (act, args, store) => {
    await store.erase('b'.repeat(64))
    return act(...args)
  }),
]

export const payloadEquivalents = {
  'put acts twice, and answers as the first time': 'a known id changes nothing',
  'put acts twice, and answers as the second time': 'a known id changes nothing',
  'remove acts twice, and answers as the first time': 'what is not there is gone already',
  'remove acts twice, and answers as the second time': 'what is not there is gone already',
  'addKey acts twice, and answers as the first time': 'the one that stands stays',
  'addKey acts twice, and answers as the second time': 'the one that stands stays',
  'rewrap acts twice, and answers as the first time': 'it is wrapped so already',
  'rewrap acts twice, and answers as the second time': 'it is wrapped so already',
  'erase acts twice, and answers as the first time': 'what is destroyed is destroyed',
}

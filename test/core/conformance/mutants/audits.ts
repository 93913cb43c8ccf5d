import type { AuditFilter, AuditStore, ChainHead, CheckpointQuery, LinkedRecord } from '@hoosh/core/storage'
import { altered } from './altered.js'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering, misrefusing, reversing } = faultsOf<AuditStore>()

const under = (path: string, fields: readonly string[]) => fields.map((field) => `${path}.${field}`)
const RECORD = [
  ...['id', 'timestamp', 'event', 'level', 'message', 'provider', 'model', 'subject', 'pool', 'reservation'],
  ...['requestId', 'metadata'],
]
const INTEGRITY = ['version', 'writer', 'seq', 'epoch', 'previous_hash', 'hash', 'signature']
const ENTRY = ['record', ...under('record', RECORD), 'body', 'integrity', ...under('integrity', INTEGRITY)]
const HEAD = ['seq', 'hash']
const KEPT = RECORD.filter((field) => field !== 'id')

const dropping = <Field extends string>(fields: readonly Field[], of: (field: Field) => Mutant<AuditStore>) =>
  fields.map(of)
const inEntries = (entries: readonly LinkedRecord[], path: string): LinkedRecord[] =>
  altered([...entries], `*.${path}`, () => undefined)
const noHash = ({ seq }: ChainHead, hash: string): ChainHead => ({ seq, hash })

/** What heads are now, for a store that does not look at the head it was given. */
async function headOf(store: AuditStore, writer: string): Promise<ChainHead> {
  const found = (await store.heads()).find((head) => head.writer === writer)
  return found === undefined ? { seq: 0, hash: '0'.repeat(64) } : { seq: found.seq, hash: found.hash }
}

const STAGE: readonly Mutant<AuditStore>[] = [
  idle('stage', undefined),
  ...twice('stage'),
  ignoring('stage', 'writer', (_writer, records) => ['n/1', records]),
  ignoring('stage', 'records but the first', (writer, records) => [writer, records.slice(0, 1)]),
  ignoring('stage', 'records but the last', (writer, records) => [writer, records.slice(-1)]),
  ...dropping(KEPT, (field) =>
    ignoring('stage', field, (writer, records) => [writer, altered([...records], `*.${field}`, () => undefined)]),
  ),
  ...misanswering('staged', ['', ...under('*', RECORD)]),
  reversing('staged', ''),
  ...dropping(['writer', 'before'], (field) =>
    ignoring('staged', field, ({ [field]: _left, ...query }) => [query as { limit: number }]),
  ),
  ignoring('staged', 'that `before` is not in', ({ before, ...query }) => [
    { ...query, ...(before !== undefined && { before: before + 1 }) },
  ]),
  ignoring('staged', 'limit', (query) => [{ ...query, limit: 1_000 }]),
]

const LINK: readonly Mutant<AuditStore>[] = [
  idle('link', true),
  idle('link', false),
  ...twice('link'),
  ...misanswering('link', ['']),
  ignoring('link', 'writer', (_writer, ...rest) => ['n/1', ...rest]),
  ignoring('link', 'entries but the first', (writer, after, entries) => [writer, after, entries.slice(0, 1)]),
  ignoring('link', 'entries but the last', (writer, after, entries) => [writer, after, entries.slice(-1)]),
  ...dropping(['body', ...under('integrity', INTEGRITY)], (path) =>
    ignoring('link', path, (writer, after, entries) => [writer, after, inEntries(entries, path)]),
  ),
  faulty('link', 'does not look at the head', async (act, [writer, , entries], store) =>
    act(writer, await headOf(store, writer), entries),
  ),
  faulty('link', 'does not look at the hash of the head', async (act, [writer, after, entries], store) =>
    act(writer, noHash(after, (await headOf(store, writer)).hash), entries),
  ),
  faulty('link', 'leaves records staged', async (act, [writer, after, entries], store) => {
    const isDone = await act(writer, after, entries)
    const again = entries.map(({ record }) => ({ ...record, id: `${record.id} again` }))
    if (isDone) await store.stage(writer, again)
    return isDone
  }),
  faulty('link', 'says yes where it has done nothing', async (act, args) => {
    await act(...args)
    return true
  }),
  ...misanswering('heads', ['', ...under('*', ['writer', ...HEAD, 'epoch', ...under('anchor', HEAD)])]),
  ...dropping(['writer', 'afterWriter', 'limit'], (field) =>
    ignoring('heads', field, ({ [field]: _left, ...query } = {}) => [query]),
  ),
]

const CHECKPOINT: readonly Mutant<AuditStore>[] = [
  idle('checkpoint', true),
  idle('checkpoint', false),
  ...twice('checkpoint'),
  ...misanswering('checkpoint', ['']),
  ignoring('checkpoint', 'writer', (_writer, ...rest) => ['n/1', ...rest]),
  ...dropping(['epoch', 'seq', 'line'], (field) =>
    ignoring('checkpoint', `checkpoint.${field}`, (writer, at, checkpoint) => [
      writer,
      at,
      altered(checkpoint, field, () => (field === 'line' ? '' : 0)),
    ]),
  ),
  faulty('checkpoint', 'does not look at the head', async (act, [writer, , checkpoint], store) =>
    act(writer, await headOf(store, writer), checkpoint),
  ),
  faulty('checkpoint', 'does not look at the hash of the head', async (act, [writer, at, checkpoint], store) =>
    act(writer, noHash(at, (await headOf(store, writer)).hash), checkpoint),
  ),
  ...misanswering('checkpoints', ['', ...under('*', ['writer', 'epoch', 'seq', 'line'])]),
  reversing('checkpoints', ''),
  ...dropping(['writer', 'after', 'newest'], (field) =>
    ignoring('checkpoints', field, ({ [field]: _left, ...query }) => [query as CheckpointQuery]),
  ),
  ignoring('checkpoints', 'limit', (query) => [{ ...query, limit: 1_000 }]),
  ignoring('checkpoints', 'that `after` is not in', ({ after, ...query }) => [
    { ...query, ...(after !== undefined && { after: after - 1 }) },
  ]),
]

const TRIM: readonly Mutant<AuditStore>[] = [
  idle('trim', true),
  idle('trim', false),
  ...twice('trim'),
  ...misanswering('trim', ['']),
  ignoring('trim', 'writer', (_writer, through) => ['n/1', through]),
  faulty('trim', 'does not look at the hash', async (act, [writer, through], store) => {
    const found = (await store.chain(writer, through.seq - 1, 1))[0]?.integrity
    return act(writer, noHash(through, found?.hash ?? through.hash))
  }),
]

const READ: readonly Mutant<AuditStore>[] = [
  ...misanswering('chain', ['', ...under('*', ENTRY)]),
  reversing('chain', ''),
  ignoring('chain', 'writer', (_writer, after, limit) => ['n/1', after, limit]),
  ignoring('chain', 'after', (writer, _after, limit) => [writer, 0, limit]),
  ignoring('chain', 'limit', (writer, after) => [writer, after, 1_000]),
  ...misanswering('query', ['entries', 'total', 'entries.*.cursor', ...under('entries.*', ENTRY)]),
  reversing('query', 'entries'),
  ...misrefusing('query', { invalid_request: [] }),
  ...dropping(['event', 'subject', 'model', 'from', 'to', 'cursor'], (field) =>
    ignoring('query', field, ({ [field]: _left, ...filter }) => [filter as AuditFilter]),
  ),
  ignoring('query', 'limit', (filter) => [{ ...filter, limit: 1_000 }]),
  ignoring('query', 'that `from` is in', ({ from, ...filter }) => [
    { ...filter, ...(from !== undefined && { from: from + 1 }) },
  ]),
  ignoring('query', 'that `to` is in', ({ to, ...filter }) => [{ ...filter, ...(to !== undefined && { to: to - 1 }) }]),
  faulty('query', 'shows what is linked only', async (act, [filter]) => {
    const { entries, total } = await act(filter)
    return { total, entries: entries.filter(({ integrity }) => integrity !== undefined) }
  }),
]

export const auditMutants = [...STAGE, ...LINK, ...CHECKPOINT, ...TRIM, ...READ]

export const auditEquivalents = {
  'stage acts twice, and answers as the first time': 'a known id changes nothing',
  'stage acts twice, and answers as the second time': 'a known id changes nothing',
  'link acts twice, and answers as the first time': 'the head is another by then',
  'checkpoint acts twice, and answers as the first time': 'the epoch is another by then',
  'link does not look at integrity.version': 'there is one version',
  'link does not look at integrity.writer': 'it is the writer that is named beside it',
  'trim acts twice, and answers as the first time': 'that entry is not in the chain any more',
}

import { HooshError, shuttingDown } from '../errors.js'
import { type Awaitable, within } from '../time.js'
import { type Appender, createAppender } from './appender.js'
import { predecessors, sharedWriterName, writerName } from './boot.js'
import { checkRecord, ownRecord, type Writable } from './canonical.js'
import { writerKey } from './chain.js'
import { type Checks, createChecks } from './checks.js'
import { createClockwork } from './clockwork.js'
import { checkpointLines, type ExportFilter, exportOf } from './export.js'
import { type AuditPage, type AuditReport, type AuditStatus, pageOf, reportOf, statusOf } from './page.js'
import { type FailedAuth, type RecordFields, type RefusalFields, shapersOf } from './refusals.js'
import { createRetention, type Retention, type RetentionOptions } from './retention.js'
import { createSigning, type Signing, type SigningOptions } from './signing.js'
import type { AuditFilter, AuditRecord, AuditStore } from './store.js'
import type { Verifier } from './verifier.js'

/** How long a reader waits for what was recorded before he asked, ms. */
const READ_WAIT_MS = 250

/** How long whoever asks for the whole log waits for what is under way, ms. */
const VERIFY_MS = 10_000

export interface AuditLogOptions extends SigningOptions {
  /** Secret of the tags, in memory only; without it the log is unsigned. */
  readonly key?: string
  /** Name of this node; with a boot id it is the writer's name, unless the chain is shared. */
  readonly node: string
  /** `process`: a chain of this process alone. `shared`: one for all processes on the store that have this key. */
  readonly chain?: 'process' | 'shared'
  readonly ids: () => string
  /** `strict`: `stage` resolves when the store has the record. `buffered`: it waits in memory until it is linked. */
  readonly mode: 'strict' | 'buffered'
  /** Absent: entries stay as long as the store keeps them. */
  readonly retention?: RetentionOptions
  /** Records that wait in memory, 10,000; beyond, `stage` refuses in `buffered`. */
  readonly maxQueue?: number
}

export interface AuditLog {
  readonly writer: string
  /**
   * Makes a record, frozen, and stores nothing yet.
   *
   * @throws HooshError `invalid_audit_details` for what cannot be written without loss
   */
  record(fields: RecordFields): AuditRecord
  /**
   * The same for fields that nobody else holds, flat in their metadata: the object itself becomes the record.
   *
   * @throws HooshError `invalid_audit_details` for a model's name that is no well-formed text
   */
  own(fields: RecordFields): AuditRecord
  /**
   * Keeps a record, to be linked within milliseconds. Returns no promise where the store answers at once. A record
   * staged twice is one entry.
   *
   * @throws HooshError `store_unavailable` where it could not be stored (`strict`) or too many wait (`buffered`)
   */
  stage(record: AuditRecord): Awaitable<void>
  /** Tells of a record that a store has staged in a step of its own. */
  staged(record: AuditRecord): void
  /** Records a refused call: one each, ten a minute of a caller, the rest counted. Never throws. */
  refused(fields: RefusalFields): void
  /** Records that an amount could not be reserved, in the same way. Never throws. */
  unheld(fields: RefusalFields): void
  /** Records that a known caller asked for what is not for him, in the same way. Never throws. */
  forbidden(fields: RefusalFields): void
  /** Counts a request without a known caller; one entry a minute says how many. Never throws. */
  authFailed(details?: FailedAuth): void
  /** Writes `audit.boot`, links what dead processes left, begins to verify. Rejects where the store does not answer. */
  start(): Promise<void>
  /**
   * Links what waits and ends the chain with `audit.seal`; a shared one goes on. Signs where it ends, and hands that on.
   *
   * @throws HooshError `store_unavailable` after `timeoutMs` (5,000); what was staged is linked by the next start
   */
  close(options?: { timeoutMs?: number }): Promise<void>
  /** Resolves once everything staged so far is linked; waits out a store that fails. */
  flush(): Promise<void>
  query(filter: AuditFilter): Promise<AuditPage>
  /** What the verifier knows; reads nothing. */
  status(): AuditStatus
  /** Looks at what nobody has yet, and says what is known of all of it. An answer is given after ten seconds. */
  verify(): Promise<AuditReport>
  /** What is linked by now, as lines of canonical JSON; rejects before the first piece where the store does not answer. */
  export(filter: ExportFilter): Promise<AsyncGenerator<string>>
  /** Stored checkpoints as they were signed, one a line, writer by writer. */
  checkpoints(filter: { readonly writer?: string }): AsyncGenerator<string>
  /** Archives what is old enough, where `retention` says so; also done each hour. */
  archive(): Promise<void>
  /** One whole pass over all that is stored. */
  scrub(): Promise<void>
}

interface Parts extends AuditLogOptions {
  readonly writer: string
  readonly maxQueue: number
  readonly appender: Appender
  readonly signing: Signing | null
  closed: boolean
}

export function createAuditLog(options: AuditLogOptions): AuditLog {
  const { store, key, clock, logger, maxQueue = 10_000 } = options
  const writer = nameOf(options)
  const checks = createChecks(options)
  const { verifier } = checks
  const signing = createSigning(options, writer)
  const appender = createAppender({
    store: tellingOf(store, verifier),
    writer,
    key: key === undefined ? null : writerKey(key, writer),
    ...(signing && { checkpoints: signing.checkpoints }),
    shared: options.chain === 'shared',
    clock,
    maxQueue,
    ...(logger && { logger }),
  })
  const parts: Parts = { ...options, writer, maxQueue, appender, signing, closed: false }
  const retention = retentionOf(parts)
  const emit = (fields: RecordFields) => keep(parts, fields)
  const shapers = shapersOf({ clock, emit })
  const clockwork = createClockwork({ checks, ...(logger && { logger }) }, () => {
    shapers.sweep()
    appender.tick()
    retention?.tick()
  })
  return {
    writer,
    record: (fields) => recordOf(parts, fields),
    own: (fields) => own(parts, fields),
    stage: (record) => stage(parts, record),
    staged: (record) => appender.note(record),
    refused: (fields) => shapers.refused.note(fields.subject ?? '', fields),
    unheld: (fields) => shapers.unheld.note(fields.subject ?? '', fields),
    forbidden: (fields) => shapers.forbidden.note(fields.subject ?? '', fields),
    authFailed: (details = {}) => shapers.failed.note('', details),
    start: async () => {
      const boot = await bootRecord(parts)
      await signing?.start()
      if (parts.mode === 'strict') await store.stage(writer, [boot])
      appender.start(boot)
      clockwork.start()
    },
    close: async ({ timeoutMs = 5_000 } = {}) => {
      shapers.flush()
      await Promise.all([seal(parts, timeoutMs), clockwork.stop()])
    },
    flush: () => appender.flush(),
    query: async (filter) => {
      // In `buffered` what waits is in memory alone, where the store's query does not see it.
      if (parts.mode === 'buffered' && appender.waiting > 0) await within(READ_WAIT_MS, appender.flush())
      return pageOf(store, filter)
    },
    status: () => statusOf(checks),
    verify: () => verify(checks),
    export: async (filter) => {
      await within(VERIFY_MS, appender.flush())
      return exportOf(store, filter)
    },
    checkpoints: (filter) => checkpointLines(store, filter),
    scrub: () => verifier.scrub(),
    archive: async () => retention?.run(),
  }
}

async function verify(checks: Checks): Promise<AuditReport> {
  const all = async () => {
    await checks.verifier.follow()
    await checks.compare()
    return true
  }
  return reportOf(checks, (await within(VERIFY_MS, all())) ?? false)
}

function nameOf({ chain, key, signingKey, node, ids }: AuditLogOptions): string {
  return chain === 'shared' ? sharedWriterName(key, signingKey) : writerName(node, ids())
}

function retentionOf(parts: Parts): Retention | null {
  const { retention, store, clock, logger, writer, mode, appender } = parts
  if (retention === undefined) return null
  const record = async (fields: RecordFields) => {
    const made = recordOf(parts, fields)
    if (mode === 'strict' && !parts.closed) await store.stage(writer, [made])
    // It has to be linked before anything is taken out, however many wait, and so is never left for later.
    if (!appender.take(made)) throw shuttingDown()
    await appender.flush()
  }
  return createRetention({ store, retention, clock, record, ...(logger && { logger }) })
}

/** The store, telling the verifier what was linked, so that it is not read back at once. */
function tellingOf(store: AuditStore, verifier: Verifier): Pick<AuditStore, 'staged' | 'link' | 'heads'> {
  return {
    staged: (query) => store.staged(query),
    heads: (query) => store.heads(query),
    link(writer, after, entries) {
      const tell = (isLinked: boolean) => {
        const last = entries.at(-1)
        if (isLinked && last !== undefined) verifier.linked(writer, after, last.integrity)
        return isLinked
      }
      const linking = store.link(writer, after, entries)
      return linking instanceof Promise ? linking.then(tell) : tell(linking)
    },
  }
}

function recordOf({ ids, clock, writer }: Parts, fields: RecordFields): AuditRecord {
  return checkRecord({ ...fields, id: ids(), timestamp: clock() }, writer)
}

function own({ ids, clock }: Parts, fields: RecordFields): AuditRecord {
  const record = fields as Writable<AuditRecord>
  record.id = ids()
  record.timestamp = clock()
  return ownRecord(record)
}

function stage(parts: Parts, record: AuditRecord): Awaitable<void> {
  const { store, writer, mode, appender, maxQueue } = parts
  if (parts.closed) throw shuttingDown()
  if (mode === 'buffered') {
    if (appender.waiting >= maxQueue) throw unavailable(`${maxQueue} audit records wait for the store already.`)
    return void appender.take(record)
  }
  try {
    const staging = store.stage(writer, [record])
    if (staging === undefined) return appender.note(record)
    return Promise.resolve(staging).then(
      () => appender.note(record),
      (error) => Promise.reject(notStored(error)),
    )
  } catch (error) {
    throw notStored(error)
  }
}

/** Keeps what hoosh itself noted and no call waits for: where nothing else helps, it stands in the host's log. */
function keep(parts: Parts, fields: RecordFields): void {
  const record = soundRecord(parts, fields)
  const onFailure = (error: unknown) => {
    if (parts.appender.waiting < parts.maxQueue && !parts.closed) parts.appender.take(record)
    else parts.logger?.error({ err: error, record }, 'audit record not stored')
  }
  try {
    const staging = stage(parts, record)
    if (staging !== undefined) staging.catch(onFailure)
  } catch (error) {
    onFailure(error)
  }
}

/** What a caller sent may be what cannot be recorded; that they were refused can. */
function soundRecord(parts: Parts, fields: RecordFields): AuditRecord {
  try {
    return recordOf(parts, fields)
  } catch {
    const { event, level, subject } = fields
    const message = 'What was sent cannot be recorded without loss.'
    return recordOf(parts, { event, level, message, ...(subject !== undefined && { subject }) })
  }
}

async function bootRecord(parts: Parts): Promise<AuditRecord> {
  const { store, node, key, writer } = parts
  return recordOf(parts, {
    event: 'audit.boot',
    level: 'info',
    message: 'The log of this process begins.',
    metadata: { signed: key !== undefined, node, predecessors: await predecessors(store, writer) },
  })
}

async function seal(parts: Parts, timeoutMs: number): Promise<void> {
  const { appender, logger, signing } = parts
  if (parts.closed) return
  parts.closed = true
  const until = Date.now() + timeoutMs
  const last = parts.chain === 'shared' ? undefined : sealOf(parts)
  const ended = await within(
    timeoutMs,
    appender.finish(last).then(() => true),
  )
  appender.stop()
  const delivery = signing?.delivery
  if (delivery !== null && delivery !== undefined && !(await delivery.close(Math.max(1, until - Date.now()))))
    logger?.error({ failures: delivery.failures }, 'checkpoints were not taken before the end')
  if (ended !== null) return
  logger?.error({ waiting: appender.waiting }, 'audit records are not linked')
  throw unavailable(`${appender.waiting} audit records could not be linked before the end.`)
}

function sealOf(parts: Parts): AuditRecord {
  return recordOf(parts, { event: 'audit.seal', level: 'info', message: 'The log of this process ends.' })
}

function notStored(error: unknown): HooshError {
  return error instanceof HooshError ? error : unavailable('The audit log could not be written.', error)
}

function unavailable(message: string, cause?: unknown): HooshError {
  return new HooshError('store_unavailable', { message, ...(cause !== undefined && { cause }) })
}

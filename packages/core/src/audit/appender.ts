import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../options.js'
import type { Clock } from '../time.js'
import { type Chain, GENESIS, headOf, link } from './chain.js'
import type { Checkpoints } from './checkpoints.js'
import { storedHead } from './heads.js'
import type { AuditRecord, AuditStore, ChainHead } from './store.js'

/** Most entries of one batch: a few milliseconds of hashing, after which the event loop has its turn. */
const BATCH = 256
/** How long records wait for company, so that one transaction links many. */
const LINGER_MS = 5
const RETRY_MS = { first: 100, longest: 10_000 }
/** How often staged records are looked for whose process died, or whose commit nobody heard of; and how old they are. */
const ADOPT_MS = 30_000

export interface AppenderOptions {
  readonly store: Pick<AuditStore, 'staged' | 'link' | 'heads'>
  readonly writer: string
  /** Null: unsigned. */
  readonly key: Buffer | null
  /** Signs where the chain stands, and then has its key; absent: nothing is signed. */
  readonly checkpoints?: Checkpoints
  /** Other processes append to this chain as well: its head may move at any time. */
  readonly shared?: boolean
  readonly clock: Clock
  readonly logger?: Logger
  /** Records kept in memory; more of what the store has staged are read back later. */
  readonly maxQueue: number
}

/** Links records into a chain, in the order they came, one batch at a time. Drops none. */
export interface Appender {
  /** Records that wait in memory. */
  readonly waiting: number
  /** Failed attempts to link or to read, since the start. */
  readonly failures: number
  /** Takes a record that the store may not have: it stays in memory until it is linked. False where it takes no more. */
  take(record: AuditRecord): boolean
  /** Takes a record that the store has staged. */
  note(record: AuditRecord): void
  /** Begins to link: `first` before all that already waits, then what dead processes left. */
  start(first: AuditRecord): void
  /** Resolves once everything taken so far is linked; waits out a store that fails. */
  flush(): Promise<void>
  /** Signs the chain if that is due by now. */
  tick(): void
  /** Links all that waits and then `last`, signs the chain, and takes nothing more. Where it never started there is nothing to end. */
  finish(last?: AuditRecord): Promise<void>
  /** Links nothing more. */
  stop(): void
}

type Head = ChainHead & { readonly epoch: number }

interface State extends AppenderOptions {
  head: ChainHead
  /** In order; an id is linked once. */
  queue: Map<string, AuditRecord>
  /** Staged records were not taken because the queue was full. */
  overflowed: boolean
  taken: number
  done: number
  flushers: { target: number; resolve(): void }[]
  running: boolean
  started: boolean
  finishing: boolean
  /** The end of the chain is still to be signed; counted as one more that was taken. */
  unsigned: boolean
  batch: number
  failures: number
  failuresInRow: number
  timer?: NodeJS.Timeout
  adopting?: NodeJS.Timeout
}

export function createAppender(options: AppenderOptions): Appender {
  const state: State = {
    ...options,
    head: GENESIS,
    queue: new Map(),
    overflowed: false,
    taken: 0,
    done: 0,
    flushers: [],
    running: false,
    started: false,
    finishing: false,
    unsigned: false,
    batch: BATCH,
    failures: 0,
    failuresInRow: 0,
  }
  return {
    get waiting() {
      return state.queue.size
    },
    get failures() {
      return state.failures
    },
    take: (record) => take(state, record),
    note: (record) => note(state, record),
    start: (first) => start(state, first),
    flush: () => flush(state),
    tick: () => {
      if (state.checkpoints?.isDue(state.head) !== true) return
      schedule(state, state.failuresInRow === 0 ? 0 : delayOf(state))
    },
    finish: (last) => finish(state, last),
    stop: () => stop(state),
  }
}

function take(state: State, record: AuditRecord): boolean {
  if (state.finishing) return false
  if (state.queue.has(record.id)) return true
  state.queue.set(record.id, record)
  state.taken += 1
  schedule(state, LINGER_MS)
  return true
}

function note(state: State, record: AuditRecord): void {
  if (state.queue.size < state.maxQueue) take(state, record)
  else state.overflowed = true
}

function start(state: State, first: AuditRecord): void {
  state.queue = new Map([[first.id, first], ...state.queue])
  state.taken += 1
  state.started = true
  schedule(state, 0)
  void adopt(state, state.clock())
  state.adopting = setInterval(() => void adopt(state, state.clock() - ADOPT_MS), ADOPT_MS).unref()
}

function finish(state: State, last: AuditRecord | undefined): Promise<void> {
  if (!state.started) return Promise.resolve()
  if (last !== undefined) take(state, last)
  state.finishing = true
  if (state.checkpoints !== undefined) {
    state.unsigned = true
    state.taken += 1
  }
  return flush(state)
}

function stop(state: State): void {
  state.started = false
  clearTimeout(state.timer)
  clearInterval(state.adopting)
}

function schedule(state: State, delayMs: number): void {
  if (!state.started || state.running || state.timer !== undefined) return
  state.timer = setTimeout(() => void run(state), delayMs).unref()
}

function flush(state: State): Promise<void> {
  if (state.done >= state.taken) return Promise.resolve()
  const flushed = new Promise<void>((resolve) => state.flushers.push({ target: state.taken, resolve }))
  if (state.failuresInRow === 0) void run(state)
  return flushed
}

/** Links one batch, and goes on as long as somebody waits for it or it was refused. */
async function run(state: State): Promise<void> {
  if (state.running || !state.started) return
  clearTimeout(state.timer)
  state.timer = undefined
  state.running = true
  try {
    let linked: boolean
    do {
      linked = await linkBatch(state)
      if (state.checkpoints !== undefined && !(await sign(state, state.checkpoints))) linked = false
      await nextTurn()
    } while (state.started && isWaiting(state) && (!linked || state.flushers.length > 0))
    state.failuresInRow = 0
  } catch (error) {
    failed(state, error)
  }
  state.running = false
  if (isWaiting(state)) schedule(state, delayOf(state))
  else if (state.overflowed && !state.finishing) {
    state.overflowed = false
    void adopt(state, state.clock())
  }
}

function isWaiting({ queue, unsigned }: State): boolean {
  return queue.size > 0 || unsigned
}

function delayOf({ failuresInRow }: State): number {
  if (failuresInRow === 0) return LINGER_MS
  return Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** (failuresInRow - 1))
}

/** @returns false where the store refused the batch: another one, or the same at another place, has to be tried */
async function linkBatch(state: State): Promise<boolean> {
  const { checkpoints } = state
  const records = firstOf(state.queue, Math.min(state.batch, checkpoints?.room(state.head) ?? BATCH))
  if (records.length === 0) return true
  const { key, epoch } = checkpoints?.ratchet ?? { key: state.key, epoch: 0 }
  const chain: Chain = { writer: state.writer, head: state.head, key, epoch }
  const entries = link(records, chain)
  const end = headOf(entries, state.head)
  try {
    const { store, writer, head } = state
    if (!(await store.link(writer, head, entries)) && !(await refused(state, end, records.length))) return false
  } catch (error) {
    // The answer may be what was lost: repeated as it was, the batch is recognised by where it ends.
    state.batch = records.length
    throw error
  }
  state.head = end
  state.batch = Math.min(BATCH, state.batch * 2)
  settle(state, records)
  return true
}

/**
 * Signs the chain where that is due, or where it ends and every record is linked.
 *
 * @returns false where other processes moved it: there is a new place to link and to sign
 */
async function sign(state: State, checkpoints: Checkpoints): Promise<boolean> {
  const isEnd = state.unsigned && state.queue.size === 0
  if (!checkpoints.isDue(state.head) && !(isEnd && !checkpoints.covers(state.head))) {
    if (isEnd) signedAll(state)
    return true
  }
  if (await checkpoints.make(state.head)) {
    if (isEnd) signedAll(state)
    return true
  }
  await follow(state, await headNow(state))
  return false
}

function signedAll(state: State): void {
  state.unsigned = false
  settle(state, [], 1)
}

/** Takes over where other processes have brought the chain. */
async function follow(state: State, { seq, hash, epoch }: Head): Promise<void> {
  state.head = { seq, hash }
  await state.checkpoints?.follow(epoch)
}

async function headNow(state: State): Promise<Head> {
  return (await storedHead(state.store, state.writer)) ?? { ...GENESIS, epoch: 0 }
}

/**
 * What a refusal means. The head is where this batch ends: an attempt whose answer was lost did link it. The head is
 * elsewhere: go on from there. The head has not moved: somebody else linked one of these records, which is found by
 * halving the batch, and is then no longer ours.
 *
 * @returns whether the batch is linked after all
 */
async function refused(state: State, end: ChainHead, size: number): Promise<boolean> {
  const now = await headNow(state)
  if (now.seq === end.seq && now.hash === end.hash) return true
  if (now.seq !== state.head.seq || now.hash !== state.head.hash) {
    if (state.shared !== true) {
      state.logger?.error(
        { writer: state.writer, from: state.head.seq, to: now.seq },
        'audit chain moved under its writer',
      )
    }
    await follow(state, now)
  } else if (state.checkpoints !== undefined && state.checkpoints.ratchet.epoch !== now.epoch) await follow(state, now)
  else if (size > 1) state.batch = Math.ceil(size / 2)
  else settle(state, firstOf(state.queue, 1))
  return false
}

function firstOf(queue: ReadonlyMap<string, AuditRecord>, count: number): AuditRecord[] {
  const records: AuditRecord[] = []
  for (const record of queue.values()) {
    if (records.length >= count) break
    records.push(record)
  }
  return records
}

function settle(state: State, records: readonly AuditRecord[], others = 0): void {
  for (const { id } of records) state.queue.delete(id)
  state.done += records.length + others
  const due = state.flushers.filter(({ target }) => target <= state.done)
  state.flushers = state.flushers.filter(({ target }) => target > state.done)
  for (const { resolve } of due) resolve()
}

function failed(state: State, error: unknown): void {
  state.failures += 1
  state.failuresInRow += 1
  const { writer, queue, failuresInRow } = state
  state.logger?.error(
    { err: error, writer, waiting: queue.size, attempt: failuresInRow },
    'audit store fails; will retry',
  )
}

/** Takes over what was staged before a moment and is still in no chain, page by page. */
async function adopt(state: State, before: number): Promise<void> {
  try {
    for (;;) {
      const page = await state.store.staged({ before, limit: BATCH })
      const left = page.filter(({ id }) => !state.queue.has(id))
      if (left.length === 0 || state.finishing) return
      for (const record of left) take(state, record)
      await flush(state)
    }
  } catch (error) {
    failed(state, error)
  }
}

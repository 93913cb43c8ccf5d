import type { AuditFilter, StoredEntry } from '@hoosh/core/storage'
import { type SqlDatabase, sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createVerifier } from '../../packages/core/src/audit/verifier.js'
import { sqliteFile } from '../support/sqlite.js'
import { appendLinked, recordAt } from './long-log.js'

const KEY = 'a secret of this test'
const LINKED = 100_000
const STAGED = 25
const records = Array.from({ length: LINKED + STAGED }, (_, index) => recordAt(index))

describe('a log of 100,000 entries on SQLite', () => {
  const sqlite = sqliteFile()
  const database = new Database(sqlite.file)
  const ran: string[] = []
  const listening: SqlDatabase = {
    prepare(source) {
      const statement = database.prepare(source)
      return {
        reader: statement.reader,
        run: (values) => statement.run(values),
        all: (values) => [...note(source, statement.all(values))],
      }
    },
  }
  const note = (source: string, rows: unknown[]) => {
    ran.push(source)
    return rows
  }
  const storage = sqlStorage(listening)
  const query = async (filter: Partial<AuditFilter>) => storage.audit.query({ limit: 100, ...filter })
  beforeAll(async () => {
    await storage.open!({ migrate: true })
    appendLinked(database, KEY, LINKED)
    await storage.audit.stage('node/2', records.slice(LINKED))
  })
  afterAll(async () => {
    database.close()
    await sqlite.remove()
  })

  /** What the database does for each statement of a query that reads the table of linked entries. */
  const plans = async (filter: Partial<AuditFilter>) => {
    ran.length = 0
    await query(filter)
    return ran
      .filter((source) => /from hoosh_audit/.test(source))
      .map((source) => {
        const steps = database.prepare(`explain query plan ${source}`).all([]) as { detail: string }[]
        return {
          source,
          steps: steps.map(({ detail }) => detail).filter((detail) => !/^(CO-ROUTINE|SCAN m$)/.test(detail)),
        }
      })
  }

  const fields = {
    event: 'inference.request',
    subject: 'user-3',
    model: 'model-1',
    from: 1_700_000_010_000,
    to: 1_700_000_020_000,
  }
  const cursor = { cursor: '1700000015000.r045000' }
  const given = Object.entries({ ...fields, ...cursor })
  const combinations = Array.from({ length: 2 ** given.length }, (_, bits) =>
    given.filter((_field, at) => (bits >> at) & 1),
  )
  const driver = (filter: Record<string, unknown>) =>
    ['subject', 'model', 'event'].find((name) => name in filter) ?? 'at'

  it.each(
    combinations.map(
      (some) => [some.map(([name]) => name).join(' ') || 'no filter', Object.fromEntries(some)] as const,
    ),
  )('reads one index from its end and counts in it alone: %s', async (_name, filter) => {
    const read = await plans(filter)
    const counts = read.filter(({ source }) => source.includes('count(*)'))
    for (const { source, steps } of read) {
      const [step, ...more] = steps
      expect(step).toContain(
        `USING ${counts.some((one) => one.source === source) ? 'COVERING ' : ''}INDEX hoosh_audit_${driver(filter)}`,
      )
      expect(step!.startsWith('SEARCH')).toBe(Object.keys(filter).length > 0)
      // Entries of one millisecond are put in order, never all that match.
      expect(more.filter((detail) => !/RIGHT PART OF ORDER BY|LAST TERM OF ORDER BY/.test(detail))).toEqual([])
      if ('from' in filter) expect(step).toContain('at>?')
      if ('to' in filter || ('cursor' in filter && !source.includes('count(*)'))) expect(step).toContain('at<?')
    }
    const hasFilter = given.some(([name]) => name !== 'cursor' && name in filter)
    expect(counts).toHaveLength(hasFilter ? 1 : 0)
    for (const { source } of counts) expect(source).toMatch(/limit 10000\)/)
  })

  it('finds the checkpoints of a writer by their index, whoever else has signed', async () => {
    for (const asked of [{}, { after: 3 }, { newest: true }]) {
      ran.length = 0
      await storage.audit.checkpoints({ writer: 'node/2', limit: 100, ...asked })
      const [source, ...more] = ran
      expect(more).toEqual([])
      const steps = database.prepare(`explain query plan ${source}`).all([]) as { detail: string }[]
      expect(steps.map(({ detail }) => detail)).toEqual([
        expect.stringMatching(/^SEARCH c USING INDEX \S+ \(writer=\? AND epoch>\?\)$/),
      ])
    }
  })

  it('counts all without counting, and at most 10,000 that match', async () => {
    expect((await query({})).total).toBe(LINKED + STAGED)
    expect((await query({ event: 'inference.request' })).total).toBe(10_000)
    expect((await query({ event: 'audit.boot' })).total).toBe(1)
    expect((await query({ subject: 'user-3', model: 'model-1' })).total).toBe(
      records.filter(({ subject, model }) => subject === 'user-3' && model === 'model-1').length,
    )
    expect((await query({ subject: 'nobody' })).total).toBe(0)
  })

  it('gives for every combination what a walk through all of it gives', async () => {
    for (const some of combinations) {
      const filter = Object.fromEntries(some) as Partial<typeof fields & typeof cursor>
      const { entries, total } = await query(filter)
      const matching = records.filter((record) => {
        const sameFields = (['event', 'subject', 'model'] as const).every(
          (name) => filter[name] === undefined || record[name] === filter[name],
        )
        return (
          sameFields &&
          record.timestamp >= (filter.from ?? 0) &&
          record.timestamp <= (filter.to ?? Number.MAX_SAFE_INTEGER)
        )
      })
      const isBefore = ({ timestamp, id }: { timestamp: number; id: string }) =>
        filter.cursor === undefined || `${timestamp}.${id}` < filter.cursor
      const page = matching.filter(isBefore).slice(-100).reverse()
      expect(entries.map(({ record }) => record.id)).toEqual(page.map(({ id }) => id))
      const counted = some.every(([name]) => name === 'cursor') ? matching.length : Math.min(10_000, matching.length)
      expect(total).toBe(counted)
    }
  })

  it('pages through a user’s entries to the first, each once', async () => {
    const seen: StoredEntry[] = []
    for (let next: string | undefined; ; ) {
      const { entries } = await query({ subject: 'user-3', limit: 1_000, ...(next !== undefined && { cursor: next }) })
      seen.push(...entries)
      next = entries.at(-1)?.cursor
      if (entries.length < 1_000) break
    }
    const expected = records.filter(({ subject }) => subject === 'user-3').reverse()
    expect(seen.map(({ record }) => record.id)).toEqual(expected.map(({ id }) => id))
  })

  it('verifies', async () => {
    const verifier = createVerifier({ store: storage.audit, key: KEY, clock: Date.now })
    await verifier.follow()
    expect(verifier.state()).toMatchObject({ valid: true, signed: true, verifiedThrough: { 'node/1': LINKED } })
  })
})

import { createChecks } from '../audit/checks.js'
import type { AuditStore } from '../audit/store.js'
import type { Finding, FindingCode } from '../budget/findings.js'
import type { Clock } from '../time.js'
import { EXPLANATIONS, type Severity } from './explain.js'
import type { Storage } from './storage.js'

/** A finding in words. */
export interface Explained extends Finding {
  readonly severity: Severity
  /** One sentence: what stands there, and what should. */
  readonly message: string
  /** What that means, and what to do. */
  readonly help: string
}

/** What is known of a storage after a look at it. */
export interface Diagnosis {
  /** The worst of what was found; `sound` where nothing was. */
  readonly verdict: 'sound' | Severity
  /** What is broken first; at most 100 of a code. */
  readonly findings: readonly Explained[]
  /** How much was looked at, by a word for it; a part that is not there was not looked at. */
  readonly looked: Readonly<Record<string, number>>
}

/** What is known of the storage beside what it says itself. */
export interface DiagnoseOptions {
  /** The configured `audit.key`; without it tags are looked at, not checked. */
  readonly auditKey?: string
  readonly clock?: Clock
}

/** How long a record may wait for its place in the log before somebody should know, ms. */
const STAGED_MS = 60_000
const MOST_STAGED = 10_000

const ORDER = Object.keys(EXPLANATIONS) as FindingCode[]

/**
 * Looks whether a storage keeps every promise of the ledger and the log, while gateways work on it, and says what it means
 * where one is broken. Changes nothing. It need not be open; on SQLite it stops the event loop for as long as it takes to read
 * all rows, so give it a process of its own (`npx hoosh doctor`).
 *
 * @example
 * const { verdict, findings } = await diagnose(sqlStorage(pool))
 * @throws HooshError `store_unavailable`
 */
export async function diagnose(
  storage: Partial<Pick<Storage, 'budgets' | 'audit'>>,
  { auditKey, clock = Date.now }: DiagnoseOptions = {},
): Promise<Diagnosis> {
  const { findings = [], looked = {} } = (await storage.budgets?.check?.()) ?? {}
  const isStrange = findings.some(({ code }) => code === 'schema')
  const log = storage.audit === undefined || isStrange ? null : await logOf(storage.audit, auditKey, clock)
  const found = [...findings, ...(log?.findings ?? [])].map(explained)
  found.sort((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code))
  return {
    verdict: found.some(({ severity }) => severity === 'broken') ? 'broken' : found.length > 0 ? 'attention' : 'sound',
    findings: found,
    looked: { ...looked, ...log?.looked },
  }
}

async function logOf(store: AuditStore, key: string | undefined, clock: Clock) {
  const checks = createChecks({ store, clock, ...(key !== undefined && { key }) })
  await checks.verifier.scrub()
  await checks.compare()
  const { firstBad } = checks
  const { verifiedThrough } = checks.verifier.state()
  const anchors = (await store.heads()).map(({ anchor }) => anchor.seq)
  const findings: Finding[] = []
  if (firstBad !== null) {
    const { writer, seq, reason } = firstBad
    findings.push({ code: 'audit', what: `entry ${seq} of writer ${writer}, ${reason}` })
  }
  const waiting = await store.staged({ before: clock() - STAGED_MS, limit: MOST_STAGED })
  if (waiting.length > 0) {
    const oldest = Math.min(...waiting.map(({ timestamp }) => timestamp))
    findings.push({ code: 'staged', found: waiting.length, what: new Date(oldest).toISOString() })
  }
  const through = Object.values(verifiedThrough).reduce((sum, seq) => sum + seq, 0)
  return { findings, looked: { 'audit entries': through - anchors.reduce((sum, seq) => sum + seq, 0) } }
}

function explained(finding: Finding): Explained {
  const { severity, says, help } = EXPLANATIONS[finding.code]
  return { ...finding, severity, message: says(finding), help }
}

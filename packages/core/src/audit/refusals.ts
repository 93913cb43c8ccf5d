import type { Clock } from '../time.js'
import type { AuditDetails, AuditRecord } from './store.js'
import { createTally } from './tally.js'

export type RecordFields = Omit<AuditRecord, 'id' | 'timestamp'>

/** What is known of a refused call. */
export type RefusalFields = Omit<RecordFields, 'event' | 'level'>

/** What is known of a request that nobody answers for. */
export interface FailedAuth {
  readonly requestId?: string
  readonly path?: string
}

interface ShaperOptions {
  readonly clock: Clock
  /** Keeps what came out; must not throw. */
  readonly emit: (fields: RecordFields) => void
}

/** Refused calls of a caller that are recorded one each, in a minute. */
const REFUSALS_PER_MINUTE = 10

/** Shapes refusals of one kind: ten a minute of each caller, then one that says of how many it is the newest (`count`). */
export function refusals({ clock, emit, event }: ShaperOptions & { readonly event: string }) {
  return createTally<RefusalFields>({
    clock,
    perMinute: REFUSALS_PER_MINUTE,
    emit: (key, { subject, metadata, ...fields }, count) =>
      emit({
        ...fields,
        event,
        level: 'warn',
        // Counted together with those of others, it is about nobody in particular.
        ...(key === '' || subject === undefined ? {} : { subject }),
        ...countedDetails(metadata, count),
      }),
  })
}

/** Shapes `auth.failed`: at most one a minute, with the count of all since the one before; the newest as the sample. */
export function failedAuths({ clock, emit }: ShaperOptions) {
  return createTally<FailedAuth>({
    clock,
    perMinute: 1,
    emit: (_, { requestId, path }, count) =>
      emit({
        event: 'auth.failed',
        level: 'warn',
        message: 'Requests without a known caller were refused.',
        ...(requestId === undefined ? {} : { requestId }),
        metadata: { count, ...(path === undefined ? {} : { path }) },
      }),
  })
}

/** Everything that is counted before it is recorded. */
export function shapersOf(options: ShaperOptions) {
  const refused = refusals({ ...options, event: 'inference.refused' })
  const unheld = refusals({ ...options, event: 'budget.refused' })
  const forbidden = refusals({ ...options, event: 'auth.refused' })
  const failed = failedAuths(options)
  const all = [refused, unheld, forbidden, failed]
  return {
    refused,
    unheld,
    forbidden,
    failed,
    sweep: () => {
      for (const one of all) one.sweep()
    },
    flush: () => {
      for (const one of all) one.flush()
    },
  }
}

function countedDetails(metadata: AuditDetails | undefined, count: number): { metadata?: AuditDetails } {
  if (count > 1) return { metadata: { ...metadata, count } }
  return metadata === undefined ? {} : { metadata }
}

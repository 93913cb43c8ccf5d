import { usdText } from '../amount.js'
import type { Finding, FindingCode } from '../budget/findings.js'

/** `broken`: a promise does not hold. `attention`: nothing is wrong in the books, but somebody has to look. */
export type Severity = 'broken' | 'attention'

interface Explanation {
  readonly severity: Severity
  /** What was found, in words of somebody who knows pools and calls, not tables. */
  says(finding: Finding): string
  /** What it means, and what to do. */
  readonly help: string
}

const BY_HAND =
  'Only a change past hoosh does that: rows edited by hand, a restored backup of some tables, or a fault of hoosh, which we want to hear of.'

/** In the order of a report: what makes the rest doubtful stands first. */
export const EXPLANATIONS: Readonly<Record<FindingCode, Explanation>> = {
  schema: {
    severity: 'broken',
    says: ({ found, expected }) =>
      found === 0
        ? 'There is nothing of hoosh here, at least not of this schema and prefix.'
        : `What is stored has version ${found}; this package knows version ${expected}.`,
    help: 'Nothing else was looked at, and no gateway serves it so. Name the schema and prefix that the app gives its storage; where tables are missing or older, run `npx hoosh migrate`; where they are newer, update @hoosh/sql or @hoosh/redis.',
  },
  terms: {
    severity: 'broken',
    says: (finding) => `The terms of ${poolOf(finding)} cannot be read: ${finding.found}.`,
    help: 'Calls of that pool are refused (`pool_frozen`). PUT the pool anew (`PUT /v1/tokens/pools/{name}`), or DELETE its override, so that the template of the app counts.',
  },
  held: {
    severity: 'broken',
    says: (finding) =>
      `${placeOf(finding)} holds ${foundOf(finding)}, and its open holds come to ${expectedOf(finding)}.`,
    help: `Too much held refuses calls that could be paid for, too little lets them overspend. ${BY_HAND} It does not mend itself; set \`held\` of the account to what its open holds come to while no gateway runs.`,
  },
  used: {
    severity: 'broken',
    says: (finding) =>
      `${placeOf(finding)} has used ${foundOf(finding)}, and its entries come to ${expectedOf(finding)}.`,
    help: `The pool is charged for something that no entry tells of, or the other way round. ${BY_HAND} The entries are what happened; compare them with the bill of the provider before anything is set.`,
  },
  negative: {
    severity: 'broken',
    says: (finding) => `${placeOf(finding)} has ${foundOf(finding)} ${finding.what}, less than nothing.`,
    help: `The pool lets more be spent than its cap. ${BY_HAND}`,
  },
  credit: {
    severity: 'broken',
    says: (finding) =>
      finding.what === undefined
        ? `What is left of the credits of ${poolOf(finding)}, what they pay and what has expired come to ${foundOf(finding)}; given were ${expectedOf(finding)}.`
        : `The credits of ${poolOf(finding)}: ${finding.what}.`,
    help: `More lets the pool spend what nobody gave it, less takes what was given. ${BY_HAND} Its history (\`GET /v1/tokens/pools/{name}/entries\`) says what was given and what has expired.`,
  },
  entry: {
    severity: 'broken',
    says: (finding) => `${reservationOf(finding)}: ${finding.what}.`,
    help: `Each reservation has exactly one entry that ends it, and none while it is open. ${BY_HAND}`,
  },
  parts: {
    severity: 'broken',
    says: (finding) => `${reservationOf(finding)} does not say the same in each of its pools: ${finding.what}.`,
    help: `A reservation holds, and is charged, the same amount in every pool of its call, each of them once. ${BY_HAND}`,
  },
  correction: {
    severity: 'broken',
    says: (finding) => `${reservationOf(finding)}: ${finding.what}.`,
    help: `What is settled after its lease ran out is mended by one correction, which with the first charge comes to the truth. ${BY_HAND}`,
  },
  orphan: {
    severity: 'broken',
    says: (finding) =>
      `${finding.reservation === undefined ? placeOf(finding) : reservationOf(finding)}: ${finding.what}.`,
    help: `Something was deleted that other rows still belong to. ${BY_HAND}`,
  },
  damaged: {
    severity: 'broken',
    says: (finding) => `${reservationOf(finding)}: ${finding.what} cannot be read.`,
    help: `Where it is its call or its credits, its pools are charged as ever; costs lack the call, credits get nothing back, and it takes no refund. Where it is all of it (Redis), what it holds stays held: delete its key, then mend \`held\` of its pools. ${BY_HAND}`,
  },
  cost: {
    severity: 'broken',
    says: (finding) =>
      `${reservationOf(finding)} cost ${foundOf(finding)} by its usage records, and its pools were charged ${expectedOf(finding)}.`,
    help: `\`/v1/costs\` and the pools do not tell the same of this call. ${BY_HAND} The pools are what was enforced.`,
  },
  audit: {
    severity: 'broken',
    says: ({ what }) => `The audit log does not verify: ${what}.`,
    help: 'It is damaged or was tampered with. Keep the database as it is, export the log, and check it against checkpoints that were kept elsewhere: `npx hoosh audit verify`.',
  },
  capacity: {
    severity: 'attention',
    says: (finding) =>
      `${placeOf(finding)} has used and holds ${foundOf(finding)}; its cap and what was on record as overrun come to ${expectedOf(finding)}.`,
    help: 'If the cap was lowered, or an override removed, after that was spent, all is well: nothing new is admitted until it fits again. If not, the pool was overspent, which must not happen; tell us.',
  },
  overdue: {
    severity: 'attention',
    says: (finding) => `${reservationOf(finding)} outlived its lease by ${finding.found} and still holds.`,
    help: 'A gateway that runs ends such holds within `budget.sweepMs` (15 s) and charges them. Is none running, or does its log tell of sweeps that fail?',
  },
  window: {
    severity: 'attention',
    says: (finding) =>
      `${reservationOf(finding)} was made at ${finding.found}, outside of the window it is booked in (${windowOf(finding)}).`,
    help: 'The clock of a gateway differed from that of the database by minutes, so calls near the end of a window are booked in its neighbour. Keep the clocks in step (NTP).',
  },
  staged: {
    severity: 'attention',
    says: ({ found, what }) => `${found} audit records wait for their place in the log, the oldest since ${what}.`,
    help: 'They are safe, but in no chain yet. A gateway with `audit` on links them within moments, also those of a process that died: is one running on these tables?',
  },
  setting: {
    severity: 'attention',
    says: ({ what, found, expected }) => `${what} is ${found}; it should be ${expected}.`,
    help: 'With that setting of the server, what a gateway has acknowledged may be lost, or it does not serve at all (docs/storage.md, docs/redis.md).',
  },
}

function poolOf({ pool }: Finding): string {
  return `the pool "${pool}"`
}

/** A pool in a window, to begin a sentence with. */
function placeOf(finding: Finding): string {
  const { windowStart, windowEnd } = finding
  const pool = `The pool "${finding.pool}"`
  return windowStart === undefined || windowEnd === null ? pool : `${pool} in the window ${windowOf(finding)}`
}

function windowOf({ windowStart, windowEnd }: Finding): string {
  if (windowStart === undefined || windowEnd === null) return 'its lifetime'
  const start = isoOf(windowStart)
  return windowEnd === undefined ? `from ${start}` : `${start} to ${isoOf(windowEnd)}`
}

/** A figure that was written over may be no moment. */
function isoOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

function reservationOf({ reservation, pool }: Finding): string {
  return `Reservation "${reservation}"${pool === undefined ? '' : ` in the pool "${pool}"`}`
}

function foundOf({ found, unit }: Finding): string {
  return figureOf(found, unit)
}

function expectedOf({ expected, unit }: Finding): string {
  return figureOf(expected, unit)
}

function figureOf(figure: number | string | undefined, unit: Finding['unit']): string {
  if (unit === 'nanoUsd') return `${usdText(Number(figure))} USD`
  return unit === 'tokens' ? `${figure} tokens` : String(figure)
}

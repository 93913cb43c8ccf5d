import { loadavg } from 'node:os'
import { SUBJECTS, type Subject, withSlices } from './ledger/subjects.js'
import { callsOn, perSecond } from './ledger/work.js'
import { save } from './report.js'

// Reserve + settle a second, of one process with 32 callers: `npm run bench:ledger`. PostgreSQL and Redis as the tests
// have them, or at HOOSH_POSTGRES_URL and HOOSH_REDIS_URL.

const MEASURED_MS = 2_000
const SIZES = [1, 1_000] as const
/** What the ledger in memory has to bear, and the most that a reserve and a settle may cost there, us. */
const MANY_POOLS = 1_000_000
const MOST_US = 3
const BATCH = 500

interface Row {
  readonly name: string
  readonly hot: number
  readonly many: number
}

const rows: Row[] = []
const load = loadavg()[0]!.toFixed(1)
console.log(line('reserve + settle a second', 'one pool', '1,000 pools'))
for (const open of SUBJECTS) {
  const subject = await open()
  await measure(subject)
  await subject.close()
}
const us = await memoryWithManyPools()
console.log(`memory, 1,000,000 pools: ${us.toFixed(2)} us a call${us > MOST_US ? ', OVER' : ''} (at most ${MOST_US})`)
console.log(`load before ${load}, now ${loadavg()[0]!.toFixed(1)}`)
console.log(`Written to ${save('ledger', { load, rows, memoryWithManyPoolsUs: us })}`)

async function measure({ name, store, bare }: Subject): Promise<void> {
  if (bare !== undefined) {
    const [hot, many] = [await bare(SIZES[0]), await bare(SIZES[1])]
    await add(`${name}, bare SQL`, (pools) => perSecond(pools === 1 ? hot : many, pools, MEASURED_MS))
  }
  await add(name, (pools) => perSecond(callsOn(store, pools), pools, MEASURED_MS))
  if (name === 'memory') return
  await add(`${name}, slices`, async (pools) => {
    const slices = withSlices(store)
    const rate = await perSecond(callsOn(slices.store, pools), pools, MEASURED_MS)
    await slices.close()
    return rate
  })
}

async function add(name: string, rate: (pools: number) => Promise<number>): Promise<void> {
  const [hot, many] = [await rate(SIZES[0]), await rate(SIZES[1])]
  rows.push({ name, hot, many })
  console.log(line(name, whole(hot), whole(many)))
}

/** The median of batches, after every pool was used once: what else the machine does meets few of them. */
async function memoryWithManyPools(): Promise<number> {
  const { store } = await SUBJECTS[0]!()
  const one = callsOn(store, MANY_POOLS)
  const batches: number[] = []
  for (let calls = 0; calls < 2 * MANY_POOLS; calls += BATCH) {
    const from = performance.now()
    for (let call = calls; call < calls + BATCH; call += 1) one((call * 7_919) % MANY_POOLS)
    if (calls >= MANY_POOLS) batches.push(((performance.now() - from) * 1_000) / BATCH)
  }
  return batches.sort((a, b) => a - b)[Math.floor(batches.length / 2)]!
}

function whole(rate: number): string {
  return Math.round(rate).toLocaleString('en-US')
}

function line(...[name = '', ...columns]: string[]): string {
  return name.padEnd(30) + columns.map((column) => column.padStart(14)).join('')
}

import { parseArgs } from 'node:util'
import { measure } from 'mitata'
import type { Case } from './micro/case.js'
import { dlp } from './micro/dlp.js'
import { engine } from './micro/engine.js'
import { platform } from './micro/platform.js'
import { stores } from './micro/stores.js'
import { save } from './report.js'

const { values } = parseArgs({ options: { only: { type: 'string' } } })

console.log(line('step', 'us', 'planned', 'original', 'at most'))
const results = []
for (const one of [...platform, ...engine, ...dlp, ...stores]) {
  if (values.only !== undefined && !one.step.includes(values.only)) continue
  const us = await microseconds(one)
  const { step, planned, original, atMost } = one
  const verdict = atMost !== undefined && us > atMost ? '  OVER' : ''
  console.log(line(step, figure(us), figure(planned), figure(original), figure(atMost)) + verdict)
  results.push({ step, us, planned, original, atMost })
}
console.log(`Written to ${save('micro', { results })}`)

/** The median, so that a neighbour in the middle of it does not count. No collections are forced: they drop compiled code. */
async function microseconds({ make, times = 1 }: Case): Promise<number> {
  const { p50 } = await measure(make(), { gc: false, min_cpu_time: 1e9 })
  return p50 / 1_000 / times
}

function figure(us: number | undefined): string {
  return us === undefined ? '' : us.toPrecision(us < 100 ? 2 : 4)
}

function line(step: string, ...columns: string[]): string {
  return step.padEnd(52) + columns.map((column) => column.padStart(10)).join('')
}

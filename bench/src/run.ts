import { parseArgs } from 'node:util'
import { start } from './child.js'
import { compare } from './compare.js'
import { measure, prepare, type Size } from './measure.js'
import { buildNextApp } from './next-app.js'
import { BASELINE, PEERS, type Peer } from './peers.js'
import { record, table } from './report.js'

const USAGE = `npm run bench -- [--short] [--rounds N] [--only ${PEERS.map(({ name }) => name).join(',')}]`

const FULL: Size = { rounds: 7, warmUpMs: 2_500, sliceMs: 300, streams: 20, openStreams: 50 }

/** Says that everything runs, and little more: for CI. */
const SHORT: Size = { rounds: 1, warmUpMs: 300, sliceMs: 200, streams: 4, openStreams: 20 }

const { values } = parseArgs({
  options: {
    short: { type: 'boolean' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean' },
  },
})

if (values.help === true) console.log(USAGE)
else await run(sizeOf(values), peersOf(values.only))

async function run(size: Size, peers: readonly Peer[]): Promise<void> {
  progress('building the app of Next.js')
  await buildNextApp(peers)
  const upstream = await start('upstream')
  progress('warming up')
  const subjects = await prepare(peers, upstream.url, size)
  try {
    const samples = await measure(subjects, size, progress)
    const findings = compare(peers, samples)
    progress('')
    console.log(table(findings, peers))
    console.log(`Written to ${record(size, findings, samples)}`)
  } finally {
    await Promise.all(subjects.map(({ client }) => client.close()))
    for (const server of [upstream, ...subjects.map(({ server }) => server)]) server.stop()
  }
}

function sizeOf({ short, rounds }: { short?: boolean; rounds?: string }): Size {
  const size = short === true || process.env.HOOSH_BENCH_SHORT === '1' ? SHORT : FULL
  return rounds === undefined ? size : { ...size, rounds: Math.max(1, Number.parseInt(rounds, 10)) }
}

/** The peers named, and those that they are compared with. */
function peersOf(only: string | undefined): readonly Peer[] {
  if (only === undefined) return PEERS
  const named = PEERS.filter(({ name }) => only.split(',').includes(name))
  const needed = new Set([
    BASELINE,
    ...named.flatMap(({ name, against }) => (against === undefined ? [name] : [name, against])),
  ])
  return PEERS.filter(({ name }) => needed.has(name))
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

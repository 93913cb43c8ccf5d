// One target of the fuzzer, in a process of its own: `node run.mjs target seed runs|ms`. Each line it prints is a sign of life.

import { coverageOf } from './coverage.mjs'
import { mutated, randomFrom } from './mutate.mjs'
import { TARGETS } from './targets.mjs'

/** How many inputs are run between two looks at what they have led to. */
const BATCH = 20

const [name, seed, limit] = process.argv.slice(2)
const target = TARGETS[name]
const random = randomFrom(Number(seed))
const corpus = target.seeds.map((text) => Buffer.from(text))
const coverage = coverageOf('/packages/core/dist/')
const until = limit.endsWith('ms') ? performance.now() + Number.parseInt(limit, 10) : Infinity
const most = limit.endsWith('ms') ? Infinity : Number(limit)

let runs = 0
let told = performance.now()

for (const input of corpus) await run(input)
coverage.isNew()
while (runs < most && performance.now() < until) {
  const batch = Array.from({ length: BATCH }, () =>
    mutated(corpus[random(corpus.length)], { random, corpus, words: target.words }),
  )
  for (const input of batch) await run(input)
  if (coverage.isNew()) await keepBest(batch)
  if (performance.now() - told > 1_000) tell()
}
tell()

async function run(input) {
  runs += 1
  const began = performance.now()
  try {
    await target.run(input)
  } catch (error) {
    console.log(JSON.stringify({ found: String(error?.stack ?? error), input: input.toString('base64') }))
    process.exit(1)
  }
  // The clock of a busy machine tells little; a minute it is not.
  if (performance.now() - began > 10_000) {
    console.log(JSON.stringify({ found: 'it took more than 10 s', input: input.toString('base64') }))
    process.exit(1)
  }
}

/** Which of them it was: each alone, as long as one leads somewhere that the corpus did not. */
async function keepBest(batch) {
  for (const input of batch) {
    await run(input)
    if (coverage.isNew()) corpus.push(input)
  }
  // What the batch reached together counts for the one that was first; the rest is found again.
  if (!corpus.includes(batch[0])) corpus.push(batch[0])
  if (corpus.length > 2_000) corpus.splice(target.seeds.length, corpus.length - 2_000)
}

function tell() {
  told = performance.now()
  console.log(JSON.stringify({ runs, corpus: corpus.length, blocks: coverage.blocks }))
}

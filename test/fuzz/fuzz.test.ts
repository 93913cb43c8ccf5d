import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const isLong = process.env.HOOSH_LONG === '1'

/** How long, or how many inputs: ten minutes each in the long run. */
const LIMIT = isLong ? '600000ms' : '1500'
/** A child that says nothing for so long hangs, ms. */
const SILENCE_MS = 60_000

interface Said {
  readonly runs?: number
  readonly corpus?: number
  readonly blocks?: number
  readonly found?: string
  readonly input?: string
}

function fuzzed(target: string, seed: number): Promise<Said[]> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./run.mjs', import.meta.url)), target, String(seed), LIMIT],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  let timer: NodeJS.Timeout
  const watch = () => {
    clearTimeout(timer)
    timer = setTimeout(() => child.kill('SIGKILL'), SILENCE_MS)
  }
  watch()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    watch()
  })
  return new Promise((resolve) => {
    child.on('close', (_code, signal) => {
      clearTimeout(timer)
      const said = output
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Said)
      resolve(signal === null ? said : [...said, { found: `it hung, and was ended by ${signal}` }])
    })
  })
}

describe('inputs that lead to new code', () => {
  it.each([
    ['sse', 'the scanner and the framers of streamed events'],
    ['validator', 'bodies of requests'],
    ['canonical', 'the canonical text of audit records'],
    ['verifier', 'the verifier of exported logs'],
  ])(
    '%s: %s',
    async (target) => {
      const seed = Date.now() % 1_000_000
      const said = await fuzzed(target, seed)
      const found = said.filter((one) => one.found !== undefined)
      expect(found, `seed ${seed}`).toEqual([])
      const last = said.at(-1)!
      if (isLong)
        console.log(`${target}, seed ${seed}: ${last.runs} inputs, ${last.corpus} kept, ${last.blocks} blocks`)
      expect(last.runs).toBeGreaterThanOrEqual(isLong ? 1_000 : 1_500)
      expect(last.blocks).toBeGreaterThan(10)
    },
    isLong ? 900_000 : 120_000,
  )
})

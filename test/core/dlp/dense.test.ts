import { expect, it } from 'vitest'
import { inspectContent } from '../../../packages/core/src/dlp/inspect.js'
import { passWhole } from '../../../packages/core/src/dlp/pass.js'
import { createPolicy } from '../../../packages/core/src/dlp/policy.js'
import { keyRules } from '../../../packages/core/src/dlp/rules/keys.js'
import { peopleRules } from '../../../packages/core/src/dlp/rules/people.js'
import { createScanner, type Scanner } from '../../../packages/core/src/dlp/scanner.js'
import { randomFrom } from '../../support/random.js'
import { positives } from './labelled.js'

const SEED = Number(process.env.HOOSH_SEED ?? Date.now() % 1_000_000_000)
const ROUNDS = process.env.HOOSH_LONG === '1' ? 5_000 : 50
const SAMPLES = positives()
const rules = [...peopleRules, ...keyRules]
const policy = createPolicy({ actions: { internal: 'redact', confidential: 'redact', restricted: 'redact' } })

/** What stands between findings: nothing, what ends them, what goes on with them, what breaks them. */
const BETWEEN = [
  ' ',
  '\n',
  ',',
  '',
  '-',
  '.',
  '"',
  '@',
  '+',
  '4',
  'x',
  '_',
  '/',
  ' (',
  ') ',
  'é',
  ' 999-12-1234 ',
  ' 666.1.1.1 ',
]

interface Told {
  readonly name: string
  readonly start: number
  readonly end: number
}

const each = rules.map((rule) => ({ rule, alone: createScanner([rule]) }))

/** The reading that nobody would ship: every rule alone at every place, as the rules' own words say. */
function readSlowly(text: string): Told[] {
  const families = [...new Set(rules.map(({ family }) => family))]
  const told: Told[] = []
  for (let at = 0; at < text.length; at += 1) {
    const firsts = families.map((family) => {
      const here = each.filter(({ rule }) => rule.family === family).map(({ alone }) => alone.next(text, at, []))
      return here.find((match) => match?.start === at) ?? null
    })
    const best = firsts.reduce((one, other) => (other !== null && (one === null || other.end > one.end) ? other : one))
    if (best === null) continue
    const { end } = createScanner([best.rule]).continued(best.rule, text, best.end, true)
    told.push({ name: best.rule.name, start: at, end })
    at = Math.max(end, at + 1) - 1
  }
  return told
}

function read(scanner: Scanner, text: string): { told: Told[]; plain: number } {
  const told: Told[] = []
  let at = 0
  let plain = 0
  passWhole(scanner, text, {
    plain(_text, start, end) {
      at += end - start
      plain += end - start
    },
    found({ name }, beginning, length) {
      expect(text.slice(at, at + beginning.length)).toBe(beginning)
      told.push({ name, start: at, end: at + length })
      at += length
    },
  })
  return { told, plain }
}

it(`text made of findings is read as by every rule alone at every place, ${ROUNDS} times from HOOSH_SEED=${SEED}`, () => {
  const { between } = randomFrom(SEED)
  const pick = <T>(list: readonly T[]): T => list[between(0, list.length - 1)]!
  const values = SAMPLES.map(({ value }) => value.slice(0, 160))
  for (let round = 0; round < ROUNDS; round += 1) {
    let text = ''
    for (let count = between(1, 6); count > 0; count -= 1) text += pick(values) + pick(BETWEEN)
    expect({ text, ...read(policy.scanner, text) }).toMatchObject({ text, told: readSlowly(text) })
  }
})

it('each finding of a text made of nothing else costs one search, whatever they are and however many', () => {
  for (const [name, value] of new Map(SAMPLES.map((one) => [one.name, one.value]))) {
    for (const count of [50, 500]) {
      let searches = 0
      const counting: Scanner = {
        ...policy.scanner,
        next(text, from, cursor) {
          searches += 1
          return policy.scanner.next(text, from, cursor)
        },
      }
      const { told } = read(counting, `${value}\n`.repeat(count))
      expect({ name, found: told.length }).toEqual({ name, found: count })
      expect(searches).toBeLessThanOrEqual(count + 2)
    }
  }
})

it('what is told of a megabyte of findings is as short as what is told of one', async () => {
  const text = '078-05-1120 '.repeat(80_000)
  const { texts, ...told } = await inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() })
  expect(told).toEqual({ level: 'restricted', patterns: ['ssn'], blocking: [], keeping: [], restore: new Map() })
  expect(texts).toEqual(['[redacted ssn] '.repeat(80_000)])
})

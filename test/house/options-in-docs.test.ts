import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { documents, readDocument } from './documents.js'
import { root } from './sources.js'

const source = readFileSync(join(root, 'packages/core/src/options.ts'), 'utf8')
const told = documents.filter((path) => !path.startsWith('bench/') && path !== 'CHANGELOG.md').map(readDocument)

/** Time and chance are ours to test with. */
const FOR_TESTS = ['random']

/** Fields of an interface of the options, one level deep. */
function fieldsOf(name: string): string[] {
  const body = new RegExp(`^export interface ${name} \\{\\n(.*?)^\\}`, 'ms').exec(source)![1]!
  return [...body.matchAll(/^ {2}(\w+)\??[:(]/gm)].map(([, field]) => field!)
}

describe('the documents', () => {
  it.each(['HooshOptions', 'Hooks', 'Identity', 'PoolSpec', 'Limits', 'KeyOptions', 'Deadlines'])(
    'tell of every field of %s',
    (name) => {
      const fields = fieldsOf(name).filter((field) => !FOR_TESTS.includes(field))
      expect(fields.length).toBeGreaterThan(2)
      const code = (field: string) => new RegExp(`\`[^\`\\n]*\\b${field}\\b|^ *${field}[:(]|[{(] ?${field}:`, 'm')
      expect(fields.filter((field) => !told.some((text) => code(field).test(text)))).toEqual([])
    },
  )

  it('tell of exactly the events that there are', () => {
    const union = /^export type HooshEvent =\n(.*?)^\n/ms.exec(source)![1]!
    const types = [...union.matchAll(/type: '([\w.]+)'/g)].map(([, type]) => type)
    const rows = [...readDocument('docs/hooks.md').matchAll(/^\| `(\w+\.\w+)` \|/gm)].map(([, type]) => type)
    expect(rows.sort()).toEqual(types.sort())
  })
})

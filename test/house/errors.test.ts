import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { root } from './sources.js'

const text = readFileSync(join(root, 'docs/errors.md'), 'utf8')

/** `| \`code\` | status | \`type\` | when | what to do |` */
const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \| `(\w+)` \| (.+) \| (.+) \|$/gm)]

describe('docs/errors.md', () => {
  it('has exactly the codes of the table, each with its status and type', () => {
    const documented = rows.map(([, code, status, type]) => [code, Number(status), type])
    const known = Object.entries(ERRORS).map(([code, [status, type]]) => [code, status, type])
    expect(documented.sort()).toEqual(known.sort())
  })

  it('says of every code when it comes and what to do', () => {
    expect(rows.filter(([, , , , when, what]) => when!.length < 15 || what!.length < 10)).toEqual([])
  })
})

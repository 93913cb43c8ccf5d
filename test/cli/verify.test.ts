import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { PYTHON_VERIFIER, python } from '../core/audit/python.js'
import { drawFrom, KEY, PUBLIC_PEM, sampleChain, textOf } from '../core/audit/sample-log.js'
import { HOOSH, run } from './hoosh.js'

const draw = drawFrom(7)
const chain = (writer: string, options = {}) =>
  sampleChain({ writer, draw, key: KEY, entries: 20, checkpoints: 30, sealed: true, ...options })
const [one, two] = [chain('n/1'), chain('n/2', { sealed: false })]
const lines = [...one.lines, ...two.lines]
const checkpoints = [...one.checkpoints, ...two.checkpoints]

/** What is done to a log, with the exit code it has to have. */
const CASES: readonly { name: string; code: number; log: string; kept?: readonly string[] }[] = [
  { name: 'as it is', code: 0, log: textOf(lines) },
  { name: 'a changed entry', code: 1, log: textOf(lines).replace('"timestamp":17', '"timestamp":18') },
  { name: 'the same entry twice', code: 1, log: textOf(lines.toSpliced(3, 0, lines[2]!)) },
  { name: 'an end before the newest checkpoint', code: 2, log: textOf(lines.slice(0, -19)) },
  { name: 'a torn last line', code: 4, log: textOf([...lines, '{"event":"audit.']).slice(0, -1) },
  { name: 'a writer that is missing', code: 5, log: textOf(one.lines) },
  {
    name: 'a hash that is a list',
    code: 1,
    log: textOf([`{"anchor":{"hash":["${'0'.repeat(64)}"],"seq":3,"writer":"x"}}`, ...lines]),
  },
  { name: 'a writer that is no text', code: 1, log: textOf(['{"anchor":{"seq":3,"writer":"\\ud800"}}', ...lines]) },
  {
    name: 'a writer that clears the screen',
    code: 1,
    log: textOf(['{"end":{"seq":3,"writer":"\\u001b[2J\\u009b\\nok"}}', ...lines]),
  },
]

let folder = ''
const file = (name: string, text: string) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoosh-cli-'))
  return () => rmSync(folder, { recursive: true })
})

const against = () => [
  '--checkpoints',
  file('checkpoints.ndjson', textOf(checkpoints)),
  '--public-key',
  file('public.pem', PUBLIC_PEM),
  '--key',
  file('key', `${KEY}\n`),
]

describe.each(CASES)('hoosh audit verify of a log with $name', ({ code, log }) => {
  it(`exits with ${code}, and says why`, async () => {
    const path = file('log.ndjson', log)
    const ended = await run(process.execPath, [HOOSH, 'audit', 'verify', path, ...against()])
    expect(ended).toMatchObject({ code, err: '' })
    expect(ended.out.split('\n')[0]).toMatch(code === 0 ? /^ok$/ : /^(tampered|truncated|fork|incomplete|missing): ./)
    expect(ended.out).toMatch(/uncovered: (n\/2|nothing)/)
    expect(ended.out).toMatch(/tags were checked/)
    expect(ended.out).not.toMatch(/[^\P{Cc}\n]/u)
  })

  it.skipIf(python === null)(
    `as the script in docs/ does${python === null ? ' (skipped: no python3 here)' : ''}`,
    async () => {
      const path = file('log.ndjson', log)
      const [ours, theirs] = await Promise.all([
        run(process.execPath, [HOOSH, 'audit', 'verify', path, ...against(), '--json']),
        run(python!, [PYTHON_VERIFIER, path, ...against()]),
      ])
      expect([ours.code, theirs.code]).toEqual([code, code])
      expect(JSON.parse(theirs.out)).toEqual(JSON.parse(ours.out))
    },
  )
})

describe('hoosh audit verify', () => {
  it('reads several files as one log, and names the file of a bad line', async () => {
    const first = file('1.ndjson', textOf(lines.slice(0, 25)))
    const second = file('2.ndjson', textOf(lines.slice(25).with(3, lines[28]!.replace('"n/2"', '"n/3"'))))
    const whole = await run(process.execPath, [HOOSH, 'audit', 'verify', first, second])
    expect(whole.code).toBe(1)
    expect(whole.out).toContain(`${second}:4`)
    expect(whole.out).toContain('tags were NOT checked')
  })

  it('of a fork exits with 3', async () => {
    const other = sampleChain({ writer: 'n/1', draw, key: KEY, entries: 9, checkpoints: 0 })
    const same = sampleChain({ writer: 'n/1', draw, key: KEY, entries: 9, checkpoints: 0 })
    const path = file('fork.ndjson', textOf([...other.lines, same.lines.find((line) => !other.lines.includes(line))!]))
    expect(await run(process.execPath, [HOOSH, 'audit', 'verify', path])).toMatchObject({ code: 3 })
  })

  it.each([
    ['no file', []],
    ['a file that is not there', ['/nowhere.ndjson']],
    ['an unknown option', ['x', '--quick']],
    ['checkpoints without a public key', [HOOSH, '--checkpoints', HOOSH]],
    ['a public key that is none', [HOOSH, '--checkpoints', HOOSH, '--public-key', HOOSH]],
    ['a key that is no text', [HOOSH, '--key', '/bin/sh']],
  ])('with %s exits with 64 and shows its usage', async (_, args) => {
    const ended = await run(process.execPath, [HOOSH, 'audit', 'verify', ...args])
    expect(ended).toMatchObject({ code: 64, out: '' })
    expect(ended.err).toContain('hoosh audit verify FILE...')
  })
})

describe('hoosh', () => {
  it('lists its commands, and does not know others', async () => {
    expect(await run(process.execPath, [HOOSH])).toMatchObject({
      code: 0,
      out: expect.stringContaining('audit verify'),
    })
    expect(await run(process.execPath, [HOOSH, 'nothing'])).toMatchObject({ code: 64, out: '' })
  })

  it('makes keys that a log can be signed with, and prints them once', async () => {
    const { code, out } = await run(process.execPath, [HOOSH, 'audit', 'keys'])
    expect(code).toBe(0)
    const pem = /HOOSH_AUDIT_SIGNING_KEY="(.*)"/.exec(out)![1]!
    const { signingKeyOf } = await import('../../packages/core/src/config/signing-key.js')
    expect(signingKeyOf(pem).asymmetricKeyType).toBe('ed25519')
    expect(/HOOSH_AUDIT_KEY=(.{43})\n/.test(out)).toBe(true)
    expect(out).toContain('BEGIN PUBLIC KEY')
  })
})

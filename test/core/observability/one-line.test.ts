import { expect, it } from 'vitest'
import { jsonLines } from '../../../packages/core/src/observability/logger.js'

it.each([
  ['CR and LF', 'a\r\n{"level":50,"msg":"forged"}'],
  ['NEL', 'a\u0085b'],
  ['the ends of lines and paragraphs of Unicode', 'a\u2028b\u2029c'],
  ['commands of a terminal', 'a\u001b[2Jb\u009b31mc'],
  ['NUL and DEL', 'a\u0000b\u007fc'],
])('a line of the log is one line, whatever is in it: %s', (_what, text) => {
  const lines: string[] = []
  const logger = jsonLines({ write: (line) => lines.push(line) })
  logger.info({ model: text, err: new TypeError(text) }, text)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[\x20-\x7e]+\n$/)
  expect(JSON.parse(lines[0]!)).toMatchObject({ model: text, msg: text })
})

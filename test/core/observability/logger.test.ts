import { describe, expect, it } from 'vitest'
import { jsonLines, loggerOf } from '../../../packages/core/src/observability/logger.js'

describe('the logger', () => {
  it('writes one JSON line an event, from info up', () => {
    const lines: string[] = []
    const logger = jsonLines({ write: (line) => lines.push(line) })
    logger.debug({}, 'too quiet')
    logger.info({ route: 'openai' }, 'route healthy')
    logger.error({ err: new Error('boom') }, 'settle failed')
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[0]!)).toMatchObject({ name: 'hoosh', level: 30, route: 'openai', msg: 'route healthy' })
    expect(JSON.parse(lines[1]!)).toMatchObject({ err: { message: 'boom' } })
  })

  it('blanks secrets', () => {
    const lines: string[] = []
    const logger = jsonLines({ write: (line) => lines.push(line) })
    logger.info({ apiKey: 'sk-1', headers: { authorization: 'Bearer sk-2' }, metrics: { token: 'sk-3' } }, 'options')
    expect(lines[0]).not.toContain('sk-')
    expect(lines[0]).toContain('[secret]')
  })

  it('writes no line that is longer than 16,384 characters, and says what it cut', () => {
    const lines: string[] = []
    const logger = jsonLines({ write: (line) => lines.push(line) })
    const long = 'x'.repeat(1_000_000)
    logger.warn({ model: long, route: 'openai', list: Array(100_000).fill(long.slice(0, 9)) }, 'attempt failed')
    logger.error({ err: new Error(long, { cause: new Error(long) }) }, long)
    logger.error(Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`field${at}`, at])), 'many fields')
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(16_385)
      expect(line.indexOf('\n')).toBe(line.length - 1)
    }
    const [model, error, many] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(model).toMatchObject({ route: 'openai', msg: 'attempt failed' })
    expect(model!.model).toMatch(/^x{1024}… \(1000000 characters\)$/)
    expect(error).toMatchObject({ name: 'hoosh', level: 50 })
    expect(many).toMatchObject({ msg: 'many fields', cut: expect.any(Number) })
  })

  it('of the host is used as it is', () => {
    const own = { debug() {}, info() {}, warn() {}, error() {} }
    expect(loggerOf(own)).toBe(own)
  })

  it('can be turned off', () => {
    expect(() => loggerOf(false).error({}, 'unheard')).not.toThrow()
  })
})

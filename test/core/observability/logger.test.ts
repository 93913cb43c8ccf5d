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

  it('of the host is used as it is', () => {
    const own = { debug() {}, info() {}, warn() {}, error() {} }
    expect(loggerOf(own)).toBe(own)
  })

  it('can be turned off', () => {
    expect(() => loggerOf(false).error({}, 'unheard')).not.toThrow()
  })
})

import { describe, expect, it } from 'vitest'
import { eventBus } from '../../../packages/core/src/observability/events.js'
import type { HooshEvent, Logger } from '../../../packages/core/src/options.js'

const event: HooshEvent = { type: 'route.health', route: 'openai', healthy: false }

function listening() {
  const errors: object[] = []
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: (details) => errors.push(details) }
  return { errors, logger }
}

describe('events', () => {
  it('reach the host at once', () => {
    const told: HooshEvent[] = []
    eventBus({ onEvent: (what) => told.push(what), ...listening() }).emit(event)
    expect(told).toEqual([event])
  })

  it('go nowhere where nobody listens', () => {
    expect(() => eventBus({ onEvent: undefined, ...listening() }).emit(event)).not.toThrow()
  })

  it('that a host chokes on are logged and change nothing', () => {
    const { errors, logger } = listening()
    const err = new Error('boom')
    const onEvent = () => {
      throw err
    }
    eventBus({ onEvent, logger }).emit(event)
    expect(errors).toEqual([{ err, event: 'route.health' }])
  })

  it('that a host rejects later are logged too', async () => {
    const { errors, logger } = listening()
    eventBus({ onEvent: async () => Promise.reject(new Error('late')), logger }).emit(event)
    await new Promise((resolve) => setImmediate(resolve))
    expect(errors).toHaveLength(1)
  })
})

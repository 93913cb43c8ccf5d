import { describe, expect, it } from 'vitest'
import { cancel } from '../../packages/core/src/cancel.js'

describe('a cancel', () => {
  it('tells each listener once, in their order, and keeps its first reason', () => {
    const signal = cancel()
    const told: string[] = []
    const [first, second] = [() => told.push('first'), () => told.push('second')]
    signal.addEventListener('abort', () => void first())
    signal.addEventListener('abort', () => void second())
    signal.abort('gone')
    signal.abort('again')
    expect([signal.aborted, signal.reason, told]).toEqual([true, 'gone', ['first', 'second']])
  })

  it('forgets a listener that was taken off, also while it tells the others', () => {
    const signal = cancel()
    const told: string[] = []
    const late = () => void told.push('late')
    signal.addEventListener('abort', late)
    signal.removeEventListener('abort', late)
    signal.removeEventListener('abort', late)
    signal.addEventListener('abort', () => {
      told.push('early')
      signal.addEventListener('abort', late)
    })
    signal.abort(undefined)
    expect(told).toEqual(['early'])
  })
})

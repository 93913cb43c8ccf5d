import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { patience } from '../../packages/redis/src/patience.js'

const never = () => new Promise<never>(() => {})

/** What has become of a promise by now. */
async function fate(promise: Promise<unknown>): Promise<string> {
  const told = promise.then(
    () => 'answered',
    (error: { code: string }) => error.code,
  )
  return Promise.race([
    told,
    new Promise<string>((resolve) => queueMicrotask(() => queueMicrotask(() => resolve('open')))),
  ])
}

describe('how long a server may be silent', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'clearTimeout', 'performance'] }))
  afterEach(() => void vi.useRealTimers())
  const patient = () => patience({ now: () => performance.now(), usualMs: 200, longest: 10 })

  it('it is away when it says nothing for the time given, and not much later', async () => {
    const answer = patient().answer(never(), 200)
    await vi.advanceTimersByTimeAsync(199)
    expect(await fate(answer)).toBe('open')
    await vi.advanceTimersByTimeAsync(50)
    expect(await fate(answer)).toBe('store_unavailable')
  })

  it('it is not away while it answers others, up to the longest wait', async () => {
    const { answer } = patient()
    const slow = answer(never(), 200)
    for (let at = 0; at < 19; at += 1) {
      await vi.advanceTimersByTimeAsync(100)
      await answer(Promise.resolve(), 200)
    }
    expect(await fate(slow)).toBe('open')
    for (let at = 0; at < 5; at += 1) {
      await vi.advanceTimersByTimeAsync(100)
      await answer(Promise.resolve(), 200)
    }
    expect(await fate(slow)).toBe('store_unavailable')
  })

  it('time that this process itself did not get is no silence', async () => {
    const answer = patient().answer(never(), 200)
    // One look that comes an hour late is one look.
    vi.setSystemTime(Date.now() + 3_600_000)
    await vi.advanceTimersByTimeAsync(30)
    expect(await fate(answer)).toBe('open')
  })

  it('an error that came in time is handed on', async () => {
    await expect(patient().answer(Promise.reject(new RangeError('x')), 200)).rejects.toThrow(RangeError)
  })

  it("the server's clock is known better with each answer, and anew when it has stepped", () => {
    const clock = patient()
    expect(clock.serverTime()).toBe(Number.POSITIVE_INFINITY)
    const at = performance.now()
    clock.noteTime(at + 1_000, at - 40)
    expect(clock.serverTime() - at).toBe(1_040)
    clock.noteTime(at + 1_000, at - 5)
    expect(clock.serverTime() - at).toBe(1_005)
    clock.noteTime(at + 990, at - 100)
    expect(clock.serverTime() - at).toBe(1_005)
    clock.noteTime(at - 5_000, at - 10)
    expect(clock.serverTime() - at).toBe(-4_990)
  })

  it('knows how long answers take, and forgets a long one with the short ones after it', () => {
    const clock = patient()
    const at = performance.now()
    clock.noteTime(at, at - 1_000)
    expect(clock.lagMs()).toBe(1_000)
    for (let answers = 0; answers < 100; answers += 1) clock.noteTime(at, at - 1)
    expect(clock.lagMs()).toBeLessThan(10)
  })
})

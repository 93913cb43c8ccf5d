import { createGateway, HooshError } from '@hoosh/core'
import { toFetchHandler } from '@hoosh/core/fetch'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh as express } from '@hoosh/express'
import { hoosh as koa } from '@hoosh/koa'
import { createHoosh } from '@hoosh/next'
import app from 'express'
import { describe, expect, it } from 'vitest'

const gateway = createGateway({ logger: false })

function faultOf(make: () => unknown): string {
  try {
    make()
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HooshError)
    expect((thrown as HooshError).code).toBe('invalid_options')
    return (thrown as HooshError).message
  }
  return 'nothing'
}

type Mount = (...given: never[]) => unknown

/** Mounts that take a gateway of their own, or one that is shared. */
const shared: [name: string, mount: Mount][] = [
  ['express', express],
  ['koa', koa],
  ['node', toNodeHandler],
  ['fetch', toFetchHandler],
]

describe.each<[string, Mount]>([...shared, ['next', createHoosh]])(
  'the options of the mount for %s',
  (_name, mount) => {
    const fault = (...given: unknown[]) => faultOf(() => mount(...(given as never[])))

    it('know `identify` beside those of the gateway, and name a slip', () => {
      expect(fault({ logger: false, identify: () => null })).toBe('nothing')
      expect(fault({ identfy: () => null })).toContain('has no option "identfy"; did you mean "identify"?')
      expect(fault({ pool: {} })).toContain('has no option "pool"; did you mean "pools"?')
      expect(fault({ identify: { user: 'ada' } })).toContain('identify has to be a function')
    })

    it.each([[null], [false], [5], ['postgres://'], [[]], [() => ({})]])('are an object, and never %j', (given) => {
      expect(fault(given)).toBe('The options object has to be an object.')
    })
  },
)

describe.each(shared)('the settings of the mount for %s', (_name, mount) => {
  const fault = (...given: unknown[]) => faultOf(() => mount(...(given as never[])))

  it('name a slip, what belongs to the gateway, and what is no function', () => {
    expect(fault(gateway, { identify: () => null })).toBe('nothing')
    expect(fault(gateway, { idenitfy: () => null })).toContain(
      'The mount\'s second argument has no option "idenitfy"; did you mean "identify"?',
    )
    expect(fault(gateway, { pools: {} })).toMatch(/second argument has no option "pools"; it knows identify/)
    expect(fault(gateway, { identify: true })).toContain('identify has to be a function')
    expect(fault(gateway, null)).toContain("The mount's second argument has to be an object")
    expect(fault({}, { identfy: () => null })).toContain('did you mean "identify"?')
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['a text', 'openai'],
    ['an app', app()],
    ['a function', () => null],
  ])('take no %s for a gateway', (_what, given) => {
    expect(fault(given)).toContain('has to be an object')
  })
})

it('the mount for fetch alone knows `waitUntil`', () => {
  expect(faultOf(() => toFetchHandler(gateway, { waitUntil() {} }))).toBe('nothing')
  expect(faultOf(() => toNodeHandler(gateway, { waitUntil() {} } as never))).toContain('no option "waitUntil"')
})

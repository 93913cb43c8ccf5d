import { expect, it } from 'vitest'
import type { Mutant } from './mutant.js'

interface Case<Harness> {
  readonly name: string
  run(harness: Harness): Promise<void>
}

interface Hunt<Store, Harness> {
  readonly cases: readonly Case<Harness>[]
  readonly mutants: readonly Mutant<Store>[]
  /** A harness on the store in memory, with a fault. */
  harness(faulty: (store: Store) => Store): Harness
  /** Faults that break no promise, by what they do, and why they do not. */
  readonly equivalent: Readonly<Record<string, string>>
}

/** Each mutant fails at least one case, and those that are said to break no promise fail none. */
export function caught<Store extends object, Harness>(hunt: Hunt<Store, Harness>): void {
  const { cases, mutants, harness, equivalent } = hunt
  it('every mutant is caught by a case', async () => {
    const callers = await callersOf(cases, harness)
    const survivors: string[] = []
    for (const { method, how, mutate } of mutants) {
      const asked = callers.get(method) ?? []
      let killer: Case<Harness> | undefined
      for (const one of asked) {
        const isCaught = await one.run(harness(mutate)).then(
          () => false,
          () => true,
        )
        if (!isCaught) continue
        killer = one
        break
      }
      if (killer === undefined) survivors.push(how)
      // What has caught one fault of a method mostly catches the next.
      else callers.set(method, [killer, ...asked.filter((one) => one !== killer)])
    }
    expect(survivors.sort()).toEqual(Object.keys(equivalent).sort())
  })

  it('every method has mutants', () => {
    let methods: string[] = []
    harness((store) => {
      methods = Object.entries(store).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))
      return store
    })
    expect([...new Set<string>(mutants.map(({ method }) => method))].sort()).toEqual(methods.sort())
  })
}

/** By method the cases that call it, on a store without a fault. */
async function callersOf<Store extends object, Harness>(
  cases: readonly Case<Harness>[],
  harness: Hunt<Store, Harness>['harness'],
): Promise<Map<string, readonly Case<Harness>[]>> {
  const callers = new Map<string, Case<Harness>[]>()
  for (const one of cases) {
    const called = new Set<string>()
    const noting = (store: Store) =>
      new Proxy(store, {
        get(target, name: string, receiver) {
          called.add(name)
          return Reflect.get(target, name, receiver)
        },
      })
    await one.run(harness(noting))
    for (const name of called) callers.set(name, [...(callers.get(name) ?? []), one])
  }
  return callers
}

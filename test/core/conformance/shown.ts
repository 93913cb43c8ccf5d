import { expect, it } from 'vitest'

/** A store that breaks one of its promises, and the cases that say so: first the one that is named after it. */
export interface Broken<Store> {
  readonly how: string
  readonly told: readonly [promise: string, ...others: string[]]
  breakIt(store: Store): Store
}

interface Case<Harness> {
  readonly name: string
  run(harness: Harness): Promise<void>
}

export async function failing<Harness>(cases: readonly Case<Harness>[], harness: () => Harness): Promise<string[]> {
  const names: string[] = []
  for (const { name, run } of cases) await run(harness()).catch(() => names.push(name))
  return names
}

/** Built on holds, their ends and windows, so that a fault of those may be met there as well. */
const BUILT_ON = /credit|refund|given back|another window of the pool|clock steps/

/** Every case on a store as it should be, and on each that is broken. */
export function shown<Store, Harness>(
  cases: readonly Case<Harness>[],
  harnessOf: (broken: (store: Store) => Store) => Harness,
  stores: readonly Broken<Store>[],
): void {
  it('a store that keeps its promises passes all cases', async () => {
    expect(await failing(cases, () => harnessOf((store) => store))).toEqual([])
  })

  it.each(stores)('$how: told by the name of the promise', async ({ told, breakIt }) => {
    const others = (name: string) => told.includes(name) || !BUILT_ON.test(name)
    expect((await failing(cases, () => harnessOf(breakIt))).filter(others).sort()).toEqual([...told].sort())
  })
}

/** Lets whatever else is due go first. */
export const turn = () => new Promise((resolve) => setImmediate(resolve))

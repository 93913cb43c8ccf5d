/** What a field may be in place of what it is; `undefined` is no field at all. */
export const WAYS: readonly [as: string, alter: (value: unknown) => unknown][] = [
  ['left out', () => undefined],
  ['nothing', nothingOf],
  ['another', anotherOf],
]

export const turned = (value: unknown): unknown => (Array.isArray(value) ? [...value].reverse() : value)

/**
 * The same with a field altered. It is named by its path: `pools.*.used.tokens`, where `*` is every one of a list; a path of
 * nothing is all of it.
 */
export function altered<T>(value: T, path: string, alter: (value: unknown) => unknown): T {
  return within(value, path === '' ? [] : path.split('.'), alter) as T
}

function within(value: unknown, [first, ...rest]: readonly string[], alter: (value: unknown) => unknown): unknown {
  if (first === undefined) return alter(value)
  if (typeof value !== 'object' || value === null) return value
  if (first === '*') return (value as unknown[]).map((one) => within(one, rest, alter))
  const { [first]: now, ...others } = value as Record<string, unknown>
  const field = within(now, rest, alter)
  return field === undefined ? others : { ...others, [first]: field }
}

function nothingOf(value: unknown): unknown {
  if (Array.isArray(value)) return []
  if (value instanceof Uint8Array) return new Uint8Array()
  return new Map<string, unknown>(Object.entries({ number: 0, string: '', boolean: false, object: null })).get(
    typeof value,
  )
}

function anotherOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, -1)
  if (value instanceof Uint8Array) return Uint8Array.from([...value.subarray(1), 7])
  if (typeof value === 'string') return `${value}?`
  if (typeof value === 'boolean') return true
  return typeof value === 'number' ? value + 1 : 7
}

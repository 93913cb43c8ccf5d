import type { Amount } from '@hoosh/core/storage'

export const none: Amount = { tokens: 0, nanoUsd: 0 }
export const units = ['tokens', 'nanoUsd'] as const
export const each = (of: (unit: keyof Amount) => number): Amount => ({ tokens: of('tokens'), nanoUsd: of('nanoUsd') })
export const plus = (a: Amount, b: Amount) => each((unit) => a[unit] + b[unit])
export const minus = (a: Amount, b: Amount) => each((unit) => a[unit] - b[unit])
export const above = (a: Amount, b: Amount) => each((unit) => Math.max(0, a[unit] - b[unit]))
export const equal = (a: Amount | null, b: Amount) => units.every((unit) => a?.[unit] === b[unit])

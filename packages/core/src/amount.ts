/** What a call costs, in both units that a pool can cap. Safe integers, never floats. 1 USD = 1e9 nano-USD. */
export interface Amount {
  tokens: number
  nanoUsd: number
}

/** A cap, or what is left below one: a unit that is absent is not capped. */
export interface Capacity {
  tokens?: number
  nanoUsd?: number
}

/** What counts things: a safe integer, 0 or more. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Zero in both units. */
export const nothing: Readonly<Amount> = Object.freeze({ tokens: 0, nanoUsd: 0 })

/** Per unit the sum. */
export function plus(a: Amount, b: Amount): Amount {
  return { tokens: a.tokens + b.tokens, nanoUsd: a.nanoUsd + b.nanoUsd }
}

/** Per unit the difference, which may be below zero. */
export function minus(a: Amount, b: Amount): Amount {
  return { tokens: a.tokens - b.tokens, nanoUsd: a.nanoUsd - b.nanoUsd }
}

/** Per unit the larger. */
export function larger(a: Amount, b: Amount): Amount {
  return { tokens: Math.max(a.tokens, b.tokens), nanoUsd: Math.max(a.nanoUsd, b.nanoUsd) }
}

/** Whether both units are the same. */
export function sameAmount(a: Amount, b: Amount): boolean {
  return a.tokens === b.tokens && a.nanoUsd === b.nanoUsd
}

/** Nano-USD of a decimal USD figure; null where it is negative, not a decimal number, or above 2^52 nano-USD. */
export function nanoUsdOf(usd: number | string): number | null {
  const text = typeof usd === 'number' ? decimalText(usd) : usd.trim()
  const match = /^(\d{1,16})(?:\.(\d{1,30}))?$/.exec(text)
  if (match === null) return null
  const fraction = (match[2] ?? '').padEnd(9, '0')
  if (/[1-9]/.test(fraction.slice(9))) return null
  const nano = BigInt(match[1]!) * 1_000_000_000n + BigInt(fraction.slice(0, 9))
  return nano <= 2n ** 52n ? Number(nano) : null
}

/** A decimal string of USD with as many decimals as needed, nine at most. */
export function usdText(nanoUsd: number): string {
  const sign = nanoUsd < 0 ? '-' : ''
  const digits = String(Math.abs(nanoUsd)).padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return `${sign}${digits.slice(0, -9)}${fraction === '' ? '' : `.${fraction}`}`
}

function decimalText(value: number): string {
  if (!Number.isFinite(value)) return ''
  const text = String(value)
  return text.includes('e') ? value.toFixed(20).replace(/\.?0+$/, '') : text
}

import { usdText } from '../amount.js'
import type { Begun } from './begin.js'
import type { Settled } from './settle.js'
import type { Try } from './try.js'
import { microUsd } from './usage-text.js'

/** A field's name is the client's, so it may hold anything. */
const NOT_IN_HEADERS = /[^\x20-\x7e]/g

/** Headers of every answer to a paid call. */
export function callHeaders(
  { call, held: { position }, admitted: { entered }, isCheaper }: Begun,
  { candidate, dropped }: Try,
): Record<string, string> {
  const headers: Record<string, string> = {
    'x-request-id': call.requestId,
    'cache-control': 'no-store',
    'x-hoosh-cache': 'MISS',
    'x-hoosh-route': candidate.route.name,
  }
  if (entered !== null) Object.assign(headers, entered.headers)
  if (dropped !== undefined) headers['x-hoosh-dropped'] = dropped.join(', ').replace(NOT_IN_HEADERS, '?')
  if (isCheaper) headers['x-hoosh-model'] = candidate.model.replace(NOT_IN_HEADERS, '?')
  if (position > 0) headers['x-hoosh-queue-position'] = String(position)
  return headers
}

/** What it cost and what is left, where the answer could wait for the bill. */
export function headersOfBill(headers: Record<string, string>, { charge, left }: Settled): void {
  headers['x-hoosh-cost-micro-usd'] = microUsd(charge.amount.nanoUsd)
  if (left?.tokens !== undefined) headers['x-hoosh-budget-remaining'] = String(left.tokens)
  if (left?.nanoUsd !== undefined) headers['x-hoosh-budget-remaining-usd'] = usdText(left.nanoUsd)
}

import { usdText } from '../amount.js'
import type { Candidate } from '../routing/route.js'
import type { Call } from './call.js'
import type { Settled } from './settle.js'
import { microUsd } from './usage-text.js'

/** Headers of every answer to a paid call. */
export function callHeaders(call: Call, candidate: Candidate): Record<string, string> {
  return {
    'x-request-id': call.requestId,
    'cache-control': 'no-store',
    'x-hoosh-cache': 'MISS',
    'x-hoosh-route': candidate.route.name,
  }
}

/** What it cost and what is left, where the answer could wait for the bill. */
export function headersOfBill(headers: Record<string, string>, { charge, left }: Settled): void {
  headers['x-hoosh-cost-micro-usd'] = microUsd(charge.amount.nanoUsd)
  if (left?.tokens !== undefined) headers['x-hoosh-budget-remaining'] = String(left.tokens)
  if (left?.nanoUsd !== undefined) headers['x-hoosh-budget-remaining-usd'] = usdText(left.nanoUsd)
}

import type { Identity } from '../options.js'
import { inRanges } from './ip-ranges.js'
import { hasSecret, readKeyText } from './key-text.js'
import type { KeyRecord, KeyStore } from './store.js'

/** Where a credential was sent from. */
export interface SentFrom {
  /** The client's address, as far as the host knows it. */
  readonly address?: string | undefined
  readonly now: number
}

/** Whether a key opens anything now, apart from its secret. */
export function stateOfKey(key: KeyRecord, now: number): 'active' | 'revoked' | 'expired' {
  if (key.revokedAt !== null) return 'revoked'
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active'
}

/**
 * Whose key a text is. Null for every text that opens nothing, whatever the reason: who guesses is not told which part
 * was right.
 *
 * @throws HooshError `store_unavailable`
 */
export async function identifyKey(keys: KeyStore, text: string, { address, now }: SentFrom): Promise<Identity | null> {
  const read = readKeyText(text)
  if (read === null) return null
  const key = await keys.get(read.id)
  if (!hasSecret(key, read.digest, now) || key === null || stateOfKey(key, now) !== 'active') return null
  if (key.ipRanges !== undefined && !inRanges(address, key.ipRanges)) return null
  return identityOfKey(key)
}

function identityOfKey({
  id,
  user,
  pools,
  models,
  tools,
  limits,
  userLimits,
  priority,
  metadata,
}: KeyRecord): Identity {
  return {
    user,
    pool: pools,
    ...(models !== undefined && { models }),
    ...(tools !== undefined && { tools }),
    ...(userLimits !== undefined && { limits: userLimits }),
    ...(priority !== undefined && { priority }),
    ...(metadata !== undefined && { metadata }),
    credential: { kind: 'key', id, ...(limits !== undefined && { limits }) },
  }
}

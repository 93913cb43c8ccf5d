import type { KeyObject } from 'node:crypto'
import type { Logger } from '../options.js'
import type { Awaitable, Clock } from '../time.js'
import { type Checkpoints, createCheckpoints } from './checkpoints.js'
import { createDelivery, type Delivery } from './delivery.js'
import type { AuditStore } from './store.js'

export interface SigningOptions {
  readonly store: AuditStore
  readonly key?: string
  /** Ed25519, private: signs where the chain stands. Absent: no checkpoints. */
  readonly signingKey?: KeyObject
  /** A checkpoint is due after so many new entries (1,000), or so many ms with new ones (60,000). */
  readonly checkpointEvery?: { readonly entries?: number; readonly ms?: number }
  /** Takes each checkpoint to where whoever can write the store cannot: it may be slow, and throw. */
  readonly onCheckpoint?: (line: string) => Awaitable<void>
  readonly clock: Clock
  readonly logger?: Logger
}

/** What signs a chain, and what hands that on; null where nobody wants it. */
export interface Signing {
  readonly checkpoints: Checkpoints
  readonly delivery: Delivery | null
  /** Finds out what other processes have signed of a chain they share. */
  start(): Promise<void>
}

export function createSigning(options: SigningOptions, writer: string): Signing | null {
  const { store, key, signingKey, checkpointEvery = {}, onCheckpoint, clock, logger } = options
  if (signingKey === undefined) return null
  const delivery =
    onCheckpoint === undefined ? null : createDelivery({ store, writer, onCheckpoint, ...(logger && { logger }) })
  const checkpoints = createCheckpoints({
    store,
    writer,
    key,
    signingKey,
    every: { entries: checkpointEvery.entries ?? 1_000, ms: checkpointEvery.ms ?? 60_000 },
    clock,
    onStored: () => delivery?.wake(),
  })
  return {
    checkpoints,
    delivery,
    async start() {
      await checkpoints.follow()
      // The newest one again: whoever made it may have died before it was taken.
      delivery?.startAfter(checkpoints.ratchet.epoch - 2)
    },
  }
}

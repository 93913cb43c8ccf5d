import { createHmac } from 'node:crypto'
import { writerKey } from './chain.js'

/** The key of a writer's tags, which goes one way: from what it is now nobody gets back to what it was. */
export interface Ratchet {
  /** How often it was turned: the number of checkpoints before. */
  readonly epoch: number
  /** Null: unsigned. Overwritten with zeros when it is turned. */
  readonly key: Buffer | null
  turn(): void
  /** Turns it up to an epoch; one that lies behind changes nothing. */
  turnTo(epoch: number): void
}

/**
 * Starts from `HMAC-SHA256(root, "hoosh-writer" 0x00 writer)`; each turn is `HMAC-SHA256(key, "evolve")`.
 *
 * @param root the configured key; undefined: unsigned, and only the epoch counts
 */
export function createRatchet(root: string | undefined, writer: string): Ratchet {
  let epoch = 0
  let key = root === undefined ? null : writerKey(root, writer)
  const turn = () => {
    epoch += 1
    if (key === null) return
    const next = createHmac('sha256', key).update('evolve').digest()
    key.fill(0)
    key = next
  }
  return {
    get epoch() {
      return epoch
    },
    get key() {
      return key
    },
    turn,
    turnTo(target) {
      if (key === null) epoch = Math.max(epoch, target)
      else while (epoch < target) turn()
    },
  }
}

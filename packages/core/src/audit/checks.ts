import type { KeyObject } from 'node:crypto'
import { createAnchorCheck, type UnvouchedAnchor } from './anchors.js'
import { type Covered, createCoverCheck } from './covered.js'
import { createVerifier, type Fault, type Verifier, type VerifierOptions } from './verifier.js'

export interface ChecksOptions extends VerifierOptions {
  /** Our own: only checkpoints that it signed cover anything. */
  readonly signingKey?: KeyObject
}

/** What looks at the stored log, each from its side. */
export interface Checks {
  readonly verifier: Verifier
  readonly covered: ReadonlyMap<string, Covered>
  readonly unvouched: readonly UnvouchedAnchor[]
  /** The first fault that any of them found; it stays. */
  readonly firstBad: Fault | null
  /** Compares the chains with their checkpoints, and with the records of what was archived. */
  compare(signal?: AbortSignal): Promise<void>
}

export function createChecks(options: ChecksOptions): Checks {
  const { store, signingKey, logger } = options
  const verifier = createVerifier(options)
  const cover = createCoverCheck(store, signingKey)
  const anchors = createAnchorCheck(store)
  const found = () => cover.firstBad ?? anchors.firstBad
  let isTold = false
  let last: Promise<void> = Promise.resolve()
  const compare = async (signal?: AbortSignal) => {
    await cover.follow(signal)
    if (signal?.aborted !== true) await anchors.follow()
    if (found() === null || isTold) return
    isTold = true
    logger?.error({ ...found() }, 'the audit log is damaged or was tampered with')
  }
  return {
    verifier,
    covered: cover.covered,
    get unvouched() {
      return anchors.unvouched
    },
    get firstBad() {
      return verifier.state().firstBad ?? found()
    },
    // One at a time: each goes on from where the one before was.
    compare(signal) {
      const turn = last.then(() => compare(signal))
      last = turn.catch(() => {})
      return turn
    },
  }
}

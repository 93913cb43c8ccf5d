import type { KeyObject } from 'node:crypto'
import { createAnchorCheck, type UnvouchedAnchor } from './anchors.js'
import { type Covered, createCoverCheck } from './covered.js'
import { createPass, type Steps } from './pass.js'
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
  /** The same for the next hundred chains; resolves with whether they were the last. */
  compareSome(signal?: AbortSignal): Promise<boolean>
}

export function createChecks(options: ChecksOptions): Checks {
  const { store, signingKey, logger } = options
  const verifier = createVerifier(options)
  const cover = createCoverCheck(store, signingKey)
  const anchors = createAnchorCheck(store)
  const found = () => cover.firstBad ?? anchors.firstBad
  let isTold = false
  const comparing = async function* (): Steps {
    yield* cover.look()
    yield* anchors.look()
    if (found() === null || isTold) return
    isTold = true
    logger?.error({ ...found() }, 'the audit log is damaged or was tampered with')
  }
  const comparisons = createPass(comparing)
  let last: Promise<unknown> = Promise.resolve()
  // One at a time: each goes on from where the one before was.
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
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
    compare: (signal) => inTurn(() => comparisons.whole(signal)),
    compareSome: (signal) => inTurn(() => comparisons.step(signal)),
  }
}

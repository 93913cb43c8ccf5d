import { type Cancel, type CancelSignal, cancel } from '../../cancel.js'
import { HooshError } from '../../errors.js'
import type { StreamLog } from './stream-log.js'

/** What a call has answered. */
export interface Landed {
  /** Id of the call that was charged. */
  readonly call: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | StreamLog
  /** It was answered before any of those who wait here came. */
  readonly isOld: boolean
}

/** One key's call in this process, and those who wait for it. */
export interface Flight {
  readonly scope: string
  readonly print: string
  readonly holder: string
  /** The call is made here, rather than waited for. */
  isOurs: boolean
  /** Nothing more will be made; who waits still only reads. */
  isOver: boolean
  /** How many wait. */
  seats: number
  /** Aborted when nobody waits any more. */
  readonly cut: Cancel
  /** Whether `print` is what the key stands for; false where it turned out to stand for something else. */
  readonly verified: Promise<boolean>
  readonly landed: Promise<Landed>
  /** Resolves when what came of it is kept and the key is free of it. */
  ended: Promise<void>
  verify(isRight: boolean): void
  land(landed: Landed): void
  fail(error: unknown): void
}

export function flight(scope: string, print: string, holder: string): Flight {
  let verify: Flight['verify'] = () => undefined
  let land: Flight['land'] = () => undefined
  let fail: Flight['fail'] = () => undefined
  const verified = new Promise<boolean>((resolve) => {
    verify = resolve
  })
  const landed = new Promise<Landed>((resolve, reject) => {
    land = resolve
    fail = reject
  })
  landed.catch(() => undefined) // all who waited may have gone
  const state = { isOurs: false, isOver: false, seats: 0, cut: cancel(), ended: Promise.resolve() }
  return { scope, print, holder, ...state, verified, landed, verify, land, fail }
}

/** A place of one caller, until it leaves or its client does. */
export interface Seat {
  /** Rejects when the client has gone. */
  readonly gone: Promise<never>
  leave(): void
}

/** @param emptied called when the last one has left */
export function takeSeat(of: Flight, signal: CancelSignal, emptied: () => void): Seat {
  let isTaken = true
  let reject: (error: HooshError) => void = () => undefined
  const gone = new Promise<never>((_, rejectGone) => {
    reject = rejectGone
  })
  gone.catch(() => undefined)
  const leave = () => {
    if (!isTaken) return
    isTaken = false
    signal.removeEventListener('abort', left)
    of.seats -= 1
    if (of.seats === 0) emptied()
  }
  const left = () => {
    reject(new HooshError('client_closed'))
    leave()
  }
  of.seats += 1
  if (signal.aborted) left()
  else signal.addEventListener('abort', left)
  return { gone, leave }
}

/** As much of an AbortSignal as the gateway uses, so that every AbortSignal is one. */
export interface CancelSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** A signal and the way to set it off. */
export interface Cancel extends CancelSignal {
  /** Calls each listener once; a second time does nothing. */
  abort(reason: unknown): void
}

/**
 * What an AbortController does for a call, in one small object: two of the real ones and their listeners were a
 * twentieth of a call's time, and most calls are never cancelled.
 */
export function cancel(): Cancel {
  const state = { aborted: false, reason: undefined as unknown }
  let listeners: (() => void)[] = []
  return {
    get aborted() {
      return state.aborted
    },
    get reason() {
      return state.reason
    },
    addEventListener(_type, listener) {
      listeners.push(listener)
    },
    removeEventListener(_type, listener) {
      const at = listeners.indexOf(listener)
      if (at >= 0) listeners.splice(at, 1)
    },
    abort(reason) {
      if (state.aborted) return
      state.aborted = true
      state.reason = reason
      const told = listeners
      listeners = []
      for (const listener of told) listener()
    },
  }
}

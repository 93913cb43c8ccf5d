/** Something that waits until a test lets it go on: the way to order events without sleeping. */
export interface Gate {
  /** Resolves as soon as somebody waits at the gate. */
  readonly reached: Promise<void>
  /** Resolves when the gate is open. */
  wait(): Promise<void>
  open(): void
}

/** A closed gate. Once open it stays open. */
export function gate(): Gate {
  const reached = signal()
  const opened = signal()
  return {
    reached: reached.promise,
    wait() {
      reached.give()
      return opened.promise
    },
    open: opened.give,
  }
}

function signal(): { promise: Promise<void>; give: () => void } {
  let give = () => {}
  const promise = new Promise<void>((resolve) => {
    give = resolve
  })
  return { promise, give }
}

import { afterCalmWords } from './calm.js'
import type { Rule } from './rule.js'
import { type Cursor, continued, type Scanner, undecidedFrom } from './scanner.js'

/** Gets a text back in order: what nothing was found in, and what was found. */
export interface Findings {
  plain(text: string): void
  /** `value` is only its beginning where values are not kept. */
  found(rule: Rule, value: string): void
}

/** One text on its way through a scanner, in pieces cut anywhere: what is found is what would be found in the whole. */
export interface Pass {
  push(piece: string): void
  /** The text has ended: gives back what was held. */
  end(): void
}

/** Characters that a pattern may look back at. */
const CONTEXT = 64

interface State {
  readonly scanner: Scanner
  readonly to: Findings
  readonly keepsAll: boolean
  readonly releasesWords: boolean
  /** What is not decided yet, behind a little of what is. */
  text: string
  /** Where that begins. */
  at: number
  /** A match of which the end has not come. */
  open: { readonly rule: Rule; value: string } | null
}

/**
 * @param options.keepsAll collect all of what was found, which may be long; else its first 127 characters at most
 * @param options.releasesWords give plain words on at once; only where all rules are built-in ones
 */
export function createPass(
  scanner: Scanner,
  to: Findings,
  options: { keepsAll: boolean; releasesWords: boolean },
): Pass {
  const state: State = { scanner, to, ...options, text: '', at: 0, open: null }
  return {
    push(piece) {
      state.text += piece
      advance(state, false)
      if (state.at > CONTEXT) {
        state.text = state.text.slice(state.at - CONTEXT)
        state.at = CONTEXT
      }
    },
    end: () => advance(state, true),
  }
}

function advance(state: State, final: boolean): void {
  if (state.open !== null && !carryOn(state, final)) return
  const { scanner, to, text } = state
  const cursor: Cursor = []
  const decided = final ? text.length + 1 : decidedUntil(state)
  for (;;) {
    const match = scanner.next(text, state.at, cursor)
    if (match === null || match.start >= decided) break
    if (match.start > state.at) to.plain(text.slice(state.at, match.start))
    state.at = match.end
    state.open = { rule: match.rule, value: text.slice(match.start, match.end) }
    if (!carryOn(state, final)) return
  }
  const until = Math.min(decided, text.length)
  if (until <= state.at) return
  to.plain(text.slice(state.at, until))
  state.at = until
}

function decidedUntil({ text, at, releasesWords }: State): number {
  const from = Math.max(at, undecidedFrom(text))
  return releasesWords ? afterCalmWords(text, from) : from
}

/** Whether the match that is open has come to its end. */
function carryOn(state: State, final: boolean): boolean {
  const { text, at, open } = state
  const { end, open: goesOn } = continued(open!.rule, text, at, final)
  if (state.keepsAll) open!.value += text.slice(at, end)
  state.at = end
  if (goesOn) return false
  state.open = null
  state.to.found(open!.rule, open!.value)
  return true
}

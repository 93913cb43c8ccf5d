import { afterCalmWords } from './calm.js'
import type { Rule } from './rule.js'
import { type Cursor, type Scanner, undecidedFrom } from './scanner.js'

/** Is told of a text in order: what nothing was found in, and what was found. */
export interface Findings {
  /** A part of `text`, from `start` to `end`. */
  plain(text: string, start: number, end: number): void
  /** The next characters belong to a match, which may go on; `found` tells of it once it is over. */
  matched?(length: number): void
  /** `beginning` is at most 127 characters of the `length` that were found, and all of them where nothing continues a match. */
  found(rule: Rule, beginning: string, length: number): void
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
  readonly releasesWords: boolean
  /** What is not decided yet, behind a little of what is. */
  text: string
  /** Where that begins. */
  at: number
  /** A match of which the end has not come. */
  open: { readonly rule: Rule; readonly beginning: string; length: number } | null
}

/** @param options.releasesWords give plain words on at once; only where all rules are built-in ones */
export function createPass(scanner: Scanner, to: Findings, options: { releasesWords: boolean }): Pass {
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

/** A text in one piece. Says whether anything was found: of a text in which nothing is, nothing is told. */
export function passWhole(scanner: Scanner, text: string, to: Findings): boolean {
  const cursor: Cursor = []
  if (scanner.next(text, 0, cursor) === null) return false
  advance({ scanner, to, releasesWords: false, text, at: 0, open: null }, true, cursor)
  return true
}

function advance(state: State, final: boolean, cursor: Cursor = []): void {
  if (state.open !== null && !carryOn(state, state.open, final)) return
  const { scanner, to, text } = state
  const decided = final ? text.length + 1 : decidedUntil(state)
  for (;;) {
    const match = scanner.next(text, state.at, cursor)
    if (match === null || match.start >= decided) break
    const { rule, start, end } = match
    if (start > state.at) to.plain(text, state.at, start)
    const beginning = text.slice(start, end)
    state.at = end
    to.matched?.(end - start)
    if (rule.more === undefined && rule.until === undefined) to.found(rule, beginning, end - start)
    else if (!carryOn(state, { rule, beginning, length: end - start }, final)) return
  }
  const until = Math.min(decided, text.length)
  if (until <= state.at) return
  to.plain(text, state.at, until)
  state.at = until
}

function decidedUntil({ text, at, releasesWords }: State): number {
  const from = Math.max(at, undecidedFrom(text))
  return releasesWords ? afterCalmWords(text, from) : from
}

/** Whether a match that goes on has come to its end. */
function carryOn(state: State, match: NonNullable<State['open']>, final: boolean): boolean {
  const { end, open } = state.scanner.continued(match.rule, state.text, state.at, final)
  match.length += end - state.at
  if (end > state.at) state.to.matched?.(end - state.at)
  state.at = end
  state.open = open ? match : null
  if (!open) state.to.found(match.rule, match.beginning, match.length)
  return !open
}

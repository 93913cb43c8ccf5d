import { folded, mayHide } from './fold.js'

/** Folds a text that comes in pieces, and gives back, in their order, what the characters were that it was read as. */
export interface Folder {
  /** The piece as it is to be read. */
  push(piece: string): string
  /** What is left to be read when the text has ended: half of a pair. */
  rest(): string
  /** What stands unseen before the next character, and so far behind the last. */
  unseen(): string
  /** What so many characters were written as, with what stands unseen between them. */
  take(count: number): string
  /** Whether every character was given back. */
  readonly isEmpty: boolean
}

/** Where characters stand in what was kept; null for as long as each stands for itself. */
interface Places {
  readonly starts: number[]
  readonly ends: number[]
}

interface State {
  readonly isJson: boolean
  /** As it came: what was not given back, behind some of what was. */
  raw: string
  /** Where that begins. */
  at: number
  places: Places | null
  /** Of the places, how many were given back. */
  done: number
  half: string
}

const FIRST_HALF = /[\ud800-\udbff]$/
/** What was given back is forgotten so many characters at a time, so that each is moved but once. */
const MOST_GIVEN = 512

export function createFolder(isJson: boolean): Folder {
  const state: State = { isJson, raw: '', at: 0, places: null, done: 0, half: '' }
  return {
    push(piece) {
      const text = state.half + piece
      state.half = FIRST_HALF.test(text) ? text.slice(-1) : ''
      return read(state, state.half === '' ? text : text.slice(0, -1))
    },
    rest: () => read(state, state.half),
    unseen: () =>
      given(state, state.places === null ? state.at : (state.places.starts[state.done] ?? state.raw.length)),
    take(count) {
      const { places, at } = state
      if (places === null) return given(state, at + count)
      state.done += count
      return given(state, places.ends[state.done - 1]!)
    },
    get isEmpty() {
      return state.places === null ? state.at === state.raw.length : state.done === state.places.ends.length
    },
  }
}

function given(state: State, end: number): string {
  const text = state.raw.slice(state.at, end)
  state.at = end
  return text
}

function read(state: State, text: string): string {
  forget(state)
  const base = state.raw.length
  state.raw += text
  if (state.places === null && !mayHide(text, state.isJson)) return text
  state.places ??= themselves(state.at, base)
  const { starts, ends } = state.places
  const view = folded(text, state.isJson)
  for (let index = 0; index < view.text.length; index += 1) {
    starts.push(base + view.start(index))
    ends.push(base + view.end(index + 1))
  }
  return view.text
}

function themselves(from: number, to: number): Places {
  const starts = Array.from({ length: to - from }, (_, index) => from + index)
  return { starts, ends: starts.map((start) => start + 1) }
}

function forget(state: State): void {
  const { at, places, done } = state
  if (at < state.raw.length && at < MOST_GIVEN) return
  state.raw = state.raw.slice(at)
  state.at = 0
  if (places === null) return
  const moved = (list: readonly number[]) => list.slice(done).map((place) => place - at)
  state.places =
    done === places.ends.length && state.raw === '' ? null : { starts: moved(places.starts), ends: moved(places.ends) }
  state.done = 0
}

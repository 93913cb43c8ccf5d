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

/** Where characters stand in what was kept. */
interface Places {
  readonly starts: Uint32Array
  readonly ends: Uint32Array
}

interface State {
  readonly isJson: boolean
  /** As it came: the last piece, behind what was not given back before it. */
  raw: string
  /** How much of it was given back. */
  at: number
  /** Null where each character stands for itself. */
  places: Places | null
  /** Of the places, how many were given back. */
  done: number
  half: string
}

const FIRST_HALF = /[\ud800-\udbff]$/

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
  const { isJson, at, places, done } = state
  const kept = state.raw.slice(at)
  Object.assign(state, { raw: kept + text, at: 0, places: null, done: 0 })
  if (!mayHide(text, isJson) && (places === null || kept === '')) return text
  const view = folded(text, isJson)
  const left = places === null ? kept.length : places.starts.length - done
  const starts = new Uint32Array(left + view.text.length)
  const ends = new Uint32Array(left + view.text.length)
  for (let index = 0; index < left; index += 1) {
    starts[index] = places === null ? index : places.starts[done + index]! - at
    ends[index] = places === null ? index + 1 : places.ends[done + index]! - at
  }
  for (let index = 0; index < view.text.length; index += 1) {
    starts[left + index] = kept.length + view.start(index)
    ends[left + index] = kept.length + view.end(index + 1)
  }
  state.places = { starts, ends }
  return view.text
}

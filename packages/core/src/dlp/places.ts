/**
 * Parts of one text in their order, each of some kind. As numbers, since a text may have as many of them as it has words, and
 * so many objects cost more than finding them.
 */
export interface Places {
  count: number
  /** Three for each: where it starts, where it ends, the number of its kind. Room for more may stand behind them. */
  numbers: Int32Array
}

const WIDTH = 3
/** There is room for so many as soon as there is one. */
const FEW = 16
const NO_NUMBERS = new Int32Array(0)

export function noPlaces(): Places {
  return { count: 0, numbers: NO_NUMBERS }
}

/** Puts one behind the others. */
export function addPlace(places: Places, start: number, end: number, kind: number): void {
  const at = places.count * WIDTH
  if (at === places.numbers.length) places.numbers = larger(places.numbers)
  places.numbers[at] = start
  places.numbers[at + 1] = end
  places.numbers[at + 2] = kind
  places.count += 1
}

function larger(numbers: Int32Array): Int32Array {
  const room = new Int32Array(Math.max(FEW * WIDTH, numbers.length * 2))
  room.set(numbers)
  return room
}

export function eachPlace({ count, numbers }: Places, visit: (start: number, end: number, kind: number) => void): void {
  for (let at = 0; at < count * WIDTH; at += WIDTH) visit(numbers[at]!, numbers[at + 1]!, numbers[at + 2]!)
}

const INTERESTING = [
  0, 1, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xc3, 0xe2, 0xef, 0xff,
]

/**
 * A variation of an input: bytes flipped, set, inserted, deleted, repeated, swapped with those of another input, or a
 * word of the dictionary put in.
 */
export function mutated(input, { random, corpus, words }) {
  let bytes = input
  for (let steps = 1 + random(4); steps > 0; steps -= 1) bytes = step(bytes, random, corpus, words)
  return bytes.length > MAX_BYTES ? bytes.subarray(0, MAX_BYTES) : bytes
}

const MAX_BYTES = 65_536

function step(bytes, random, corpus, words) {
  const at = random(bytes.length + 1)
  const size = Math.min(bytes.length - at, 1 + random(random(4) === 0 ? 200 : 8))
  const [before, middle, after] = [bytes.subarray(0, at), bytes.subarray(at, at + size), bytes.subarray(at + size)]
  switch (random(8)) {
    case 0:
      return Buffer.concat([before, middle.map((byte) => byte ^ (1 << random(8))), after])
    case 1:
      return Buffer.concat([before, Buffer.from([INTERESTING[random(INTERESTING.length)]]), middle.subarray(1), after])
    case 2:
      return Buffer.concat([before, Buffer.from([INTERESTING[random(INTERESTING.length)]]), middle, after])
    case 3:
      return Buffer.concat([before, after])
    case 4:
      return Buffer.concat([
        before,
        ...Array.from({ length: 1 + random(random(8) === 0 ? 300 : 4) }, () => middle),
        after,
      ])
    case 5: {
      const other = corpus[random(corpus.length)]
      const from = random(other.length + 1)
      return Buffer.concat([before, other.subarray(from, from + 1 + random(400)), after])
    }
    case 6:
      return Buffer.concat([before, Buffer.from(words[random(words.length)]), middle, after])
    default: {
      const number = ['0', '-1', '1.5', '9007199254740993', '1e400', '65536', '1e-9'][random(7)]
      return Buffer.concat([before, Buffer.from(number), after])
    }
  }
}

/** A small generator of its own, so that a run can be played again from its seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

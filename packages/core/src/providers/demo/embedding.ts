/** Numbers in an embedding of the demo model. */
export const DEMO_DIMENSIONS = 256

/** How much a word counts beside each of its groups of three letters, which make "cats" near "cat". */
const WORD_WEIGHT = 3

/**
 * A text as a vector of length 1: a bag of hashed words and letter triples. Texts that share words lie near each other;
 * nothing is understood.
 *
 * @param dimensions 1 to 256: fewer are the first ones, brought back to length 1
 */
export function demoEmbedding(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(DEMO_DIMENSIONS)
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    add(vector, word, WORD_WEIGHT)
    const framed = `^${word}$`
    for (let at = 0; at + 3 <= framed.length; at += 1) add(vector, framed.slice(at, at + 3), 1)
  }
  return unit(vector.slice(0, dimensions))
}

function add(vector: Float32Array, feature: string, weight: number): void {
  const hash = fnv1a(feature)
  const at = hash % DEMO_DIMENSIONS
  vector[at] = vector[at]! + ((hash >>> 16) & 1 ? weight : -weight)
}

/** A text without a word has no direction of its own: it gets the first axis. */
function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  if (length === 0) vector[0] = 1
  else for (let at = 0; at < vector.length; at += 1) vector[at] = vector[at]! / length
  return vector
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

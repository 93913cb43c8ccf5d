/** The known name that was probably meant, by case or by a slip or two of the finger; null where none is near. */
export function suggest(name: string, known: readonly string[]): string | null {
  const wanted = plain(name)
  let best: string | null = null
  let least = Math.min(3, Math.ceil(wanted.length / 3)) + 1
  for (const candidate of known) {
    const steps = distance(wanted, plain(candidate))
    if (steps < least) {
      best = candidate
      least = steps
    }
  }
  return best
}

/**
 * Whether one name is surely the other with a slip: of case, or, after the first letter, of one letter too many, too few
 * or swapped with its neighbour. Stricter than `suggest`, for places where names that nobody knows may stand, and cheap
 * for names that are far from it.
 */
export function isSlipOf(name: string, known: string): boolean {
  if (Math.abs(name.length - known.length) > 2 || name[0]?.toLowerCase() !== known[0]?.toLowerCase()) return false
  const [wanted, right] = [plain(name), plain(known)]
  if (wanted === right) return true
  if (Math.abs(wanted.length - right.length) > 1) return false
  let at = 0
  while (wanted[at] === right[at]) at += 1
  const [restWanted, restRight] = [wanted.slice(at), right.slice(at)]
  if (restWanted.length > restRight.length) return restWanted.slice(1) === restRight
  if (restWanted.length < restRight.length) return restWanted === restRight.slice(1)
  return `${restWanted[1]}${restWanted[0]}${restWanted.slice(2)}` === restRight
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

/** Single characters to insert, drop or replace (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

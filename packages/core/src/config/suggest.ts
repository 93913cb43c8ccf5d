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

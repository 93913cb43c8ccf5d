/** Levels of JSON in a line that is read: more than any of ours has, whose details have fewer, and fewer than any reader of JSON stumbles over. */
const MAX_LINE_LEVELS = 100

/** Whether a text is JSON that every verifier can read. */
export function isReadable(text: string): boolean {
  try {
    JSON.parse(text)
    return !isTooDeep(text)
  } catch {
    return false
  }
}

/** Whether a text that is JSON has more levels than are read. */
export function isTooDeep(text: string): boolean {
  let level = 0
  let isInside = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (isInside && character === '\\') at += 1
    else if (character === '"') isInside = !isInside
    else if (isInside) continue
    else if (character === '[' || character === '{') level += 1
    else if (character === ']' || character === '}') level -= 1
    if (level > MAX_LINE_LEVELS) return true
  }
  return false
}

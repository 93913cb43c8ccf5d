type Json = Readonly<Record<string, unknown>>

/** Keys whose strings are no generated text: what a thing is, and signatures and encrypted blocks of providers. */
const NOT_TEXT = new Set(['role', 'type', 'id', 'object', 'index', 'extra_content', 'format', 'signature', 'data'])

/** Names that servers have for thinking. Many send the same text under several of them: the first with any is counted. */
const THINKING = ['reasoning_content', 'reasoning', 'reasoning_details']

/** All text of a message or a delta that a model has made: tool names and arguments, thinking and refusals included; no images. */
export function generatedText(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  if (Array.isArray(value)) return value.map(generatedText).join('')
  const said = value as Json
  const thinking = thinkingIn(said)
  let text = ''
  for (const key in said) {
    if (key === thinking?.name) text += thinking.text
    else if (key === 'url') text += withoutImage(said[key])
    else if (!NOT_TEXT.has(key) && !THINKING.includes(key)) text += generatedText(said[key])
  }
  return text
}

function withoutImage(url: unknown): string {
  return typeof url === 'string' && url.startsWith('data:image/') ? '' : generatedText(url)
}

/** Read once: what nests thinking in thinking would take twice as long with each level. */
function thinkingIn(said: Json): { name: string; text: string } | null {
  for (const name of THINKING) {
    const text = generatedText(said[name])
    if (text !== '') return { name, text }
  }
  return null
}

import { type PoolTerms, storedTerms } from '@hoosh/core/storage'

/** Terms as they are stored, and back; what was seen before is not written or read again. */
export interface TermsCodec {
  write(terms: PoolTerms | null): string | null
  read(text: unknown): PoolTerms | null
  same(a: PoolTerms | null, b: PoolTerms | null): boolean
}

/** Different texts that are remembered: templates are few, overrides may be many. */
const MAX_TEXTS = 1_000

export function termsCodec(): TermsCodec {
  const texts = new WeakMap<PoolTerms, string>()
  const known = new Map<string, PoolTerms>()
  const write = (terms: PoolTerms | null) => {
    if (terms === null) return null
    let text = texts.get(terms)
    if (text === undefined) {
      text = JSON.stringify(terms)
      texts.set(terms, text)
    }
    return text
  }
  return {
    write,
    read(text) {
      if (typeof text !== 'string') return null
      let terms = known.get(text)
      if (terms === undefined) {
        terms = storedTerms(text)
        if (known.size >= MAX_TEXTS) known.clear()
        known.set(text, terms)
      }
      return terms
    },
    same: (a, b) => a === b || write(a) === write(b),
  }
}

import { type PoolTerms, storedTerms } from '@hoosh/core/storage'

/** Texts that are remembered with what they say: templates are few, overrides may be many. */
const MAX_TEXTS = 1_000

/** Terms as they are stored, and what this process knows of overrides. */
export interface TermsBook {
  write(terms: PoolTerms | null): string
  read(text: string): PoolTerms | null
  /** The override of a pool as it was last heard of, '' for none. A script that finds another says so. */
  override(pool: string): string
  noteOverride(pool: string, text: string): void
  /** All there are. */
  noteOverrides(all: ReadonlyMap<string, string>): void
}

export function termsBook(): TermsBook {
  const texts = new WeakMap<PoolTerms, string>()
  const known = new Map<string, PoolTerms>()
  let overrides = new Map<string, string>()
  return {
    write(terms) {
      if (terms === null) return ''
      let text = texts.get(terms)
      if (text === undefined) {
        text = JSON.stringify(terms)
        texts.set(terms, text)
      }
      return text
    },
    read(text) {
      if (text === '') return null
      let terms = known.get(text)
      if (terms === undefined) {
        terms = storedTerms(text)
        if (known.size >= MAX_TEXTS) known.clear()
        known.set(text, terms)
      }
      return terms
    },
    override: (pool) => overrides.get(pool) ?? '',
    noteOverride(pool, text) {
      if (text === '') overrides.delete(pool)
      else overrides.set(pool, text)
    },
    noteOverrides(all) {
      overrides = new Map(all)
    },
  }
}

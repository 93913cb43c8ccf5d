import type { DlpAction, DlpLevel } from '../options.js'

/** From the least sensitive to the most. */
export const LEVELS = ['public', 'internal', 'confidential', 'restricted'] as const satisfies readonly DlpLevel[]

/** What a level means where the host says nothing: the original's rules. */
export const DEFAULT_ACTIONS: Readonly<Record<DlpLevel, DlpAction>> = {
  public: 'allow',
  internal: 'allow',
  confidential: 'localOnly',
  restricted: 'block',
}

/** The more sensitive of two levels. */
export function higher(one: DlpLevel, other: DlpLevel): DlpLevel {
  return LEVELS.indexOf(one) >= LEVELS.indexOf(other) ? one : other
}

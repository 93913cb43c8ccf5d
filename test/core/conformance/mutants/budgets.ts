import { bookMutants } from './budget-books.js'
import { stepMutants } from './budget-steps.js'

export const budgetMutants = [...stepMutants, ...bookMutants]

/** A step that is repeated with the same id and values has the same outcome: that is the promise itself. */
const SAME = 'a step may be repeated at any time'

export const budgetEquivalents = {
  'reserve acts twice, and answers as the first time': SAME,
  'renew acts twice, and answers as the first time': SAME,
  'renew acts twice, and answers as the second time': SAME,
  'settle acts twice, and answers as the first time': SAME,
  'release acts twice, and answers as the first time': SAME,
  'credit acts twice, and answers as the first time': SAME,
  'refund acts twice, and answers as the first time': SAME,
  'define acts twice, and answers as the first time': SAME,
  'define acts twice, and answers as the second time': SAME,
  'freeze acts twice, and answers as the first time': SAME,
  'freeze acts twice, and answers as the second time': SAME,
  'forget acts twice, and answers as the first time': SAME,
  'forget acts twice, and answers as the second time': SAME,
  'reserve answers `expired.*.usage.latencyMs` as nothing': 'of a lost call it is nothing',
  'expire answers `*.usage.latencyMs` as nothing': 'of a lost call it is nothing',
  'settle answers `reversal.latencyMs` as nothing': 'of a lost call it is nothing',
  'release answers `reversal.latencyMs` as nothing': 'of a lost call it is nothing',
  'settle answers `reversal.reverses` as another': 'it is always true',
  'release answers `reversal.reverses` as another': 'it is always true',
  'release answers `overrun.tokens` as nothing': 'what is released is never charged beyond its hold',
  'release answers `overrun.nanoUsd` as nothing': 'what is released is never charged beyond its hold',
  'extend answers `expired` as nothing': 'an extension ends no hold',
  'extend answers `expired` as another': 'an extension ends no hold',
  'extend answers `pools.*.terms.frozen` as left out': 'a frozen pool refuses extensions',
  'extend answers `pools.*.terms.frozen` as nothing': 'a frozen pool refuses extensions',
}

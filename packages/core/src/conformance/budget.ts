import { budgetAmountCases } from './budget-amounts.js'
import { budgetAnswerCases } from './budget-answers.js'
import { budgetClockCases } from './budget-clocks.js'
import { budgetCreditCases } from './budget-credits.js'
import { budgetEndingCases } from './budget-endings.js'
import { budgetExtensionCases } from './budget-extensions.js'
import { budgetForgottenCases } from './budget-forgotten.js'
import { budgetFrozenCases } from './budget-frozen.js'
import type { BudgetCase } from './budget-harness.js'
import { budgetHoldCases } from './budget-holds.js'
import { budgetLostCases } from './budget-lost.js'
import { budgetPersistsCases } from './budget-persists.js'
import { budgetRaceCases } from './budget-races.js'
import { budgetReadCases } from './budget-reads.js'
import { budgetRefundCases } from './budget-refunds.js'
import { budgetWindowCases } from './budget-windows.js'

/** Every promise of `BudgetStore`. Each case wants a harness of its own, with an empty ledger. */
export const budgetStoreCases: readonly BudgetCase[] = [
  ...budgetHoldCases,
  ...budgetExtensionCases,
  ...budgetAmountCases,
  ...budgetWindowCases,
  ...budgetClockCases,
  ...budgetEndingCases,
  ...budgetForgottenCases,
  ...budgetLostCases,
  ...budgetPersistsCases,
  ...budgetRaceCases,
  ...budgetFrozenCases,
  ...budgetCreditCases,
  ...budgetRefundCases,
  ...budgetReadCases,
  ...budgetAnswerCases,
]

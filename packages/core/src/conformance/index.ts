export { type AuditCase, type AuditHarness, auditCases } from './audit.js'
export { budgetStoreCases } from './budget.js'
export type { BudgetCase, BudgetHarness } from './budget-harness.js'
export { type RateCase, type RateHarness, rateStoreCases } from './rates.js'

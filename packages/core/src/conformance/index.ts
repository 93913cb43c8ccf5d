// The promises of every store as cases, bound to no test runner: `for (const { name, run } of auditCases) test(name, () => run(harness()))`.
export { type AuditCase, type AuditHarness, auditCases } from './audit.js'

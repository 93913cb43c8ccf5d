import { describe, it } from 'vitest'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import { auditCases } from '../../../packages/core/src/conformance/audit.js'

describe('the memory store keeps the promises of AuditStore', () => {
  it.each(auditCases)('$name', async ({ run }) => {
    const store = memoryAudit()
    await run({ open: () => store })
  })
})

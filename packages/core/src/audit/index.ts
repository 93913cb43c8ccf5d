// What an auditor and a host work with beside the gateway; no engine is loaded.

export { fileArchive } from './archive.js'
export { type AuditKeys, auditKey } from './key.js'
export type { Finding, Verdict, VerdictCode } from './offline/findings.js'
export type { Lines } from './offline/lines.js'
export {
  type AuditVerdict,
  type UncoveredWindow,
  type VerifyOptions,
  verifyAuditLog,
  type WriterReport,
} from './offline/verify.js'
export { payloadHash } from './payload-seal.js'
export type { AuditSegment, RetentionOptions } from './retention.js'
export { type CheckpointSink, fileSink, gitSink, httpSink } from './sinks.js'
export type { AuditDetails, AuditEntry, AuditIntegrity, AuditRecord, AuditValue } from './store.js'

import { generateKeyPairSync, randomBytes } from 'node:crypto'

/** Makes the keys of a log. Nothing keeps them: what is made here is shown once. */
export interface AuditKeys {
  /**
   * The auditor's key: 256 random bits as text, for `audit.key` and for whoever checks tags with `--key`. Every
   * writer's key is derived from it and then goes one way.
   */
  initial(): string
  /** An Ed25519 pair in PEM: the private one for `audit.signingKey`, the public one for whoever checks checkpoints. */
  signing(): { privateKey: string; publicKey: string }
}

/** Makes the keys of a log. */
export const auditKey: AuditKeys = {
  initial: () => randomBytes(32).toString('base64url'),
  signing: () =>
    generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }),
}

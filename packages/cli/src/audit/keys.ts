import { auditKey } from '@hoosh/core/audit'
import type { Command } from '../command.js'

/** Makes the keys of a log and shows them once. */
export const auditKeys: Command = {
  name: 'audit keys',
  summary: 'Makes the keys of an audit log and prints them, once.',
  usage: 'hoosh audit keys',
  run(args, { out }) {
    if (args.length > 0) return `What is "${args[0]}"? This command takes nothing.`
    const { privateKey, publicKey } = auditKey.signing()
    out('Tags (`audit.key`), for the app and the auditor:\n')
    out(`HOOSH_AUDIT_KEY=${auditKey.initial()}\n`)
    out('Checkpoints (`audit.signingKey`), for the app alone:\n')
    out(`HOOSH_AUDIT_SIGNING_KEY="${privateKey.trim().replaceAll('\n', '\\n')}"\n`)
    out('The public key, for whoever checks checkpoints with --public-key:\n')
    out(publicKey.trim())
    return 0
  },
}

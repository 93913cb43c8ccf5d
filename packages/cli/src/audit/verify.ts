import { isUtf8 } from 'node:buffer'
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type AuditVerdict, verifyAuditLog } from '@hoosh/core/audit'
import type { Command } from '../command.js'
import { type Places, placesIn } from './files.js'

/** Checks exported logs, offline. */
export const auditVerify: Command = {
  name: 'audit verify',
  summary:
    'Checks an exported audit log, offline. Exit code: 0 ok, 1 tampered, 2 truncated, 3 fork, 4 incomplete, 5 missing.',
  usage:
    'hoosh audit verify FILE... [--checkpoints FILE --public-key FILE] [--key FILE] [--require-tags] [--json]\n\n' +
    '  FILE           what GET /v1/audit/export gave, and archived segments, the oldest first\n' +
    '  --checkpoints  checkpoints that were kept elsewhere; may be given several times\n' +
    '  --public-key   Ed25519 public key (PEM) of the key that signed them\n' +
    '  --key          file with the configured `audit.key`; without it tags are not checked. With it, a chain without\n' +
    '                 tags is a fault, unless it began before the first one that has them\n' +
    '  --require-tags every chain must have tags, whenever it began\n' +
    '  --json         the whole verdict as JSON',
  run(args, { out }) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        checkpoints: { type: 'string', multiple: true },
        'public-key': { type: 'string' },
        key: { type: 'string' },
        'require-tags': { type: 'boolean', default: false },
        json: { type: 'boolean' },
      },
    })
    if (positionals.length === 0) return 'Which file?'
    const log = placesIn(positionals)
    const { checkpoints, 'public-key': publicKey, key } = values
    if (checkpoints !== undefined && publicKey === undefined)
      return 'Which key signed these checkpoints? --public-key FILE, as `hoosh audit keys` printed it'
    if (publicKey !== undefined && !isPublicKey(readFileSync(publicKey, 'utf8')))
      return `There is no Ed25519 public key in ${publicKey} (a PEM that begins with "-----BEGIN PUBLIC KEY-----").`
    const secret = key === undefined ? null : readFileSync(key)
    if (secret !== null && !isUtf8(secret)) return `${key} is no text.`
    const verdict = verifyAuditLog(log.lines(), {
      ...(checkpoints === undefined ? {} : { checkpoints: placesIn(checkpoints).lines() }),
      ...(publicKey === undefined ? {} : { publicKey: readFileSync(publicKey, 'utf8') }),
      requireTags: values['require-tags'],
      ...(secret === null ? {} : { key: secret.toString().replace(/\r?\n$/, '') }),
    })
    for (const line of values.json === true ? [JSON.stringify(verdict, null, 2)] : told(verdict, log)) out(line)
    return verdict.code
  },
}

function isPublicKey(pem: string): boolean {
  try {
    // Node would take a private key as well, or a certificate.
    return pem.includes('-----BEGIN PUBLIC KEY-----') && createPublicKey(pem).asymmetricKeyType === 'ed25519'
  } catch {
    return false
  }
}

const TAGS = {
  checked: 'tags were checked',
  partial: 'tags were checked where there are any: some writers have none',
  unchecked: 'tags were NOT checked: no --key was given',
  none: 'the log is unsigned: it has no tags',
} as const

function told({ verdict, firstBad, writers, absent, entries, tags, uncovered }: AuditVerdict, log: Places): string[] {
  const open = writers.filter(({ end }) => end === 'open').map(({ writer }) => writer)
  return [
    firstBad === null ? verdict : `${verdict}: ${[...placeOf(firstBad, log), firstBad.reason].join(', ')}`,
    `${entries} entries of ${writers.length} writers; ${TAGS[tags]}`,
    ...(tags === 'partial' ? writers.filter(({ signed, entries }) => !signed && entries > 0).map(untaggedOf) : []),
    ...(uncovered.length === 0 ? ['uncovered: nothing'] : uncovered.map(windowOf)),
    ...open.map((writer) => `open end: ${writer} has neither a seal nor a successor`),
    ...absent.map((writer) => `not in this log: ${writer}, which a later boot names`),
  ].map(onOneLine)
}

/** What a log says of writers may be meant for the terminal. */
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

function placeOf({ line, writer, seq }: NonNullable<AuditVerdict['firstBad']>, log: Places): string[] {
  return [
    ...(line === null ? [] : [log.of(line)]),
    ...(writer === null ? [] : [`writer ${writer}`]),
    ...(seq === null ? [] : [`entry ${seq}`]),
  ]
}

function untaggedOf({ writer, first, last }: AuditVerdict['writers'][number]): string {
  return `without tags: ${writer}, entries ${first} to ${last}; it needed no key to write them anew`
}

function windowOf({ writer, after, through, entries, since }: AuditVerdict['uncovered'][number]): string {
  const when = since === null ? 'no checkpoint was given' : `after the checkpoint of ${new Date(since).toISOString()}`
  const which = entries === 0 ? `nothing up to entry ${through}` : `entries ${through - entries + 1} to ${through}`
  return `uncovered: ${writer}, ${which} (${when}), and whatever followed${after > 0 ? ` entry ${through}` : ''}`
}

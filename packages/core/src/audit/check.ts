import { bodyOf, hasUnknownFields } from './canonical.js'
import { hasher, tagger, writerKey } from './chain.js'
import type { ChainHead, StoredEntry } from './store.js'

/** A reader's place in a writer's chain, moved by `check`. */
export interface Walk {
  readonly writer: string
  seq: number
  hash: string
  /** Whether the chain has tags; null before its first entry was read. */
  signed: boolean | null
  readonly hashOf: ReturnType<typeof hasher>
  /** Null without the key. */
  readonly tagOf: ReturnType<typeof tagger> | null
}

/** @param root the configured key; without it tags are looked at, not checked */
export function walkFrom(writer: string, { seq, hash }: ChainHead, root: string | undefined): Walk {
  const tagOf = root === undefined ? null : tagger(writerKey(root, writer))
  return { writer, seq, hash, signed: null, hashOf: hasher(writer), tagOf }
}

/**
 * Checks the entry after `walk` and moves on to it: its place, that the stored text is what the record says, its hash,
 * its tag. Any changed character of record, text or integrity is found; without the key, not of a tag.
 *
 * @returns what is wrong, or null
 */
export function check(walk: Walk, entry: StoredEntry): string | null {
  const { record, body, integrity } = entry
  if (entry.damaged !== undefined) return `the stored entry is damaged: ${entry.damaged}`
  if (body === undefined || integrity === undefined) return 'the stored entry has no place in the chain'
  const seq = walk.seq + 1
  if (integrity.seq !== seq) return `entry ${integrity.seq} stands in the place of ${seq}`
  if (integrity.writer !== walk.writer || integrity.version !== '2' || integrity.epoch !== 0)
    return 'its place was changed'
  if (hasUnknownFields(record) || bodyOf(record, integrity) !== body) return 'the record differs from what was hashed'
  if (integrity.previous_hash !== walk.hash) return 'it does not follow the entry before it'
  const hash = walk.hashOf(seq, walk.hash, body)
  if (integrity.hash !== hash) return 'its hash is not that of its text'
  const wrongTag = checkTag(walk, entry, integrity.signature)
  if (wrongTag !== null) return wrongTag
  walk.seq = seq
  walk.hash = hash
  return null
}

/** The first entry decides whether a chain has tags; a boot entry also says so, under its hash. */
function checkTag(walk: Walk, { record, integrity }: StoredEntry, tag: string): string | null {
  walk.signed ??= tag !== ''
  if (record.event === 'audit.boot' && integrity!.seq === 1 && record.metadata?.signed !== walk.signed) {
    return 'its tag is not what the boot entry says of the chain'
  }
  if (!walk.signed) return tag === '' ? null : 'it has a tag in a chain without'
  if (walk.tagOf === null) return /^[0-9a-f]{64}$/.test(tag) ? null : 'its tag is none'
  return tag === walk.tagOf(integrity!.hash) ? null : 'its tag is not of this key'
}

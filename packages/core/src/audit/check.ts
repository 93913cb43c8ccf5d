import { isWhole } from '../amount.js'
import { bodyOf, hasUnknownFields } from './canonical.js'
import { hasher, tagger } from './chain.js'
import { createRatchet } from './ratchet.js'
import type { ChainHead, StoredEntry } from './store.js'

/** A reader's place in a writer's chain, moved by `check`. */
export interface Walk {
  readonly writer: string
  /** The configured key. */
  readonly root: string | undefined
  seq: number
  hash: string
  /** Whether the chain has tags; null before its first entry was read. */
  signed: boolean | null
  /** Of the newest entry; null before the first was read. It never falls. */
  epoch: number | null
  /** Made by `toolsOf` when they are needed, and as often: two kilobytes, of which a chain that has ended needs none. */
  tools: Tools | null
}

/** What a writer's entries are hashed and tagged with. */
interface Tools {
  readonly hashOf: ReturnType<typeof hasher>
  /** The tag of an entry of some epoch, not earlier than any asked for; null without the key. */
  readonly tagOf: ((epoch: number, entryHash: string) => string) | null
}

/**
 * Most checkpoints between two entries (ten years of one an hour), and before the first one that is still there (ten of one
 * a minute). What claims more would only keep us turning keys.
 */
const MAX_TURNS = { between: 100_000, before: 5_000_000 }

/** @param root the configured key; without it tags are looked at, not checked */
export function walkFrom(writer: string, { seq, hash }: ChainHead, root: string | undefined): Walk {
  return { writer, root, seq, hash, signed: null, epoch: null, tools: null }
}

export function toolsOf(walk: Walk): Tools {
  const { writer, root } = walk
  walk.tools ??= { hashOf: hasher(writer), tagOf: root === undefined ? null : tagsOf(writer, root) }
  return walk.tools
}

function tagsOf(writer: string, root: string): (epoch: number, entryHash: string) => string {
  const ratchet = createRatchet(root, writer)
  let tagOf = tagger(ratchet.key)
  let of = 0
  return (epoch, entryHash) => {
    if (epoch !== of) {
      ratchet.turnTo(epoch)
      tagOf = tagger(ratchet.key)
      of = epoch
    }
    return tagOf(entryHash)
  }
}

/** Whether an entry of this epoch may come next. */
export function mayFollow({ seq, epoch: before }: Pick<Walk, 'seq' | 'epoch'>, epoch: number): boolean {
  if (!isWhole(epoch)) return false
  if (before === null) return seq === 0 ? epoch === 0 : epoch <= MAX_TURNS.before
  return epoch >= before && epoch - before <= MAX_TURNS.between
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
  if (integrity.writer !== walk.writer || integrity.version !== '2' || !mayFollow(walk, integrity.epoch))
    return 'its place was changed'
  if (hasUnknownFields(record) || bodyOf(record, integrity) !== body) return 'the record differs from what was hashed'
  if (integrity.previous_hash !== walk.hash) return 'it does not follow the entry before it'
  const hash = toolsOf(walk).hashOf(seq, walk.hash, body)
  if (integrity.hash !== hash) return 'its hash is not that of its text'
  const wrongTag = checkTag(walk, entry, integrity.signature)
  if (wrongTag !== null) return wrongTag
  walk.seq = seq
  walk.hash = hash
  walk.epoch = integrity.epoch
  return null
}

/** The first entry decides whether a chain has tags; a boot entry also says so, under its hash. */
function checkTag(walk: Walk, { record, integrity }: StoredEntry, tag: string): string | null {
  walk.signed ??= tag !== ''
  if (record.event === 'audit.boot' && integrity!.seq === 1 && record.metadata?.signed !== walk.signed) {
    return 'its tag is not what the boot entry says of the chain'
  }
  if (!walk.signed) return tag === '' ? null : 'it has a tag in a chain without'
  const { tagOf } = toolsOf(walk)
  if (tagOf === null) return /^[0-9a-f]{64}$/.test(tag) ? null : 'its tag is none'
  return tag === tagOf(integrity!.epoch, integrity!.hash) ? null : 'its tag is not of this key'
}

import { createHmac, createPublicKey, type KeyObject } from 'node:crypto'
import { readCheckpoint } from './checkpoint.js'
import { headPages } from './heads.js'
import type { AuditStore, AuditValue, WriterHead } from './store.js'

/** Most that is said of predecessors: half of an entry. */
const MAX_BYTES = 32_768

/** A writer's name: the node, and one boot of it. */
export function writerName(node: string, bootId: string): string {
  return `${node}/${bootId}`
}

/**
 * The name of the writer that all processes with these keys are together, whatever node they run on. A new key is a new
 * writer, since a chain has tags of one key or none, and checkpoints of one key or none.
 */
export function sharedWriterName(key: string | undefined, signingKey: KeyObject | undefined): string {
  if (key === undefined && signingKey === undefined) return writerName('shared', 'unsigned')
  const mark = createHmac('sha256', key ?? '').update('hoosh-shared')
  if (signingKey !== undefined) mark.update(createPublicKey(signingKey).export({ type: 'spki', format: 'der' }))
  return writerName('shared', mark.digest('hex').slice(0, 16))
}

/**
 * The newest checkpoint of the other writers of a writer's node that have neither a seal nor a successor: what a new boot
 * vouches for. Of a writer without checkpoints it is the head. A process that still runs is among them, since nobody can tell it from a dead one.
 * No more than one entry holds: who is left out has no successor yet, and is named by the next boot.
 */
export async function predecessors(
  store: AuditStore,
  own: string,
): Promise<{ writer: string; seq: number; hash: string }[]> {
  const succeeded = new Set<string>()
  const open: WriterHead[] = []
  for await (const heads of headPages(store)) {
    for (const head of heads) {
      const { writer, seq, anchor } = head
      // A chain of which nothing is left had ended before it was archived.
      if (seq === anchor.seq || nodeOf(writer) !== nodeOf(own)) continue
      const [first] = await store.chain(writer, anchor.seq, 1)
      for (const named of namedBy(first?.record.metadata?.predecessors)) succeeded.add(named)
      const [last] = await store.chain(writer, seq - 1, 1)
      if (last?.record.event !== 'audit.seal') open.push(head)
    }
  }
  const left = open.filter(({ writer }) => writer !== own && !succeeded.has(writer))
  const named: { writer: string; seq: number; hash: string }[] = []
  for (let bytes = 0; named.length < left.length; ) {
    const place = await newestOf(store, left[named.length]!)
    bytes += Buffer.byteLength(JSON.stringify(place))
    if (bytes > MAX_BYTES) break
    named.push(place)
  }
  return named
}

async function newestOf(store: AuditStore, { writer, seq, hash, epoch }: WriterHead) {
  const stored = epoch > 0 ? await store.checkpoints({ writer, newest: true, limit: 1 }) : []
  const checkpoint = stored[0] === undefined ? null : readCheckpoint(stored[0].line)
  return checkpoint === null ? { writer, seq, hash } : { writer, seq: checkpoint.seq, hash: checkpoint.hash }
}

function nodeOf(writer: string): string {
  return writer.slice(0, writer.lastIndexOf('/'))
}

function namedBy(value: AuditValue | undefined): string[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((item: { writer?: unknown } | null) => (typeof item?.writer === 'string' ? [item.writer] : []))
}

import { createHmac } from 'node:crypto'
import type { AuditStore, AuditValue, WriterHead } from './store.js'

/** A writer's name: the node, and one boot of it. */
export function writerName(node: string, bootId: string): string {
  return `${node}/${bootId}`
}

/**
 * The name of the writer that all processes with this key are together, whatever node they run on. A new key is a new
 * writer, since a chain has tags of one key or none.
 */
export function sharedWriterName(key: string | undefined): string {
  const mark =
    key === undefined ? 'unsigned' : createHmac('sha256', key).update('hoosh-shared').digest('hex').slice(0, 16)
  return writerName('shared', mark)
}

/**
 * Heads of the other writers of a writer's node that have neither a seal nor a successor: what a new boot vouches for.
 * A process that still runs is among them, since nobody can tell it from a dead one.
 */
export async function predecessors(
  store: AuditStore,
  own: string,
): Promise<{ writer: string; seq: number; hash: string }[]> {
  const heads = (await store.heads()).filter(({ writer, seq }) => seq > 0 && nodeOf(writer) === nodeOf(own))
  const succeeded = new Set<string>()
  const open: WriterHead[] = []
  for (const head of heads) {
    const [first] = await store.chain(head.writer, head.anchor.seq, 1)
    for (const writer of namedBy(first?.record.metadata?.predecessors)) succeeded.add(writer)
    const [last] = await store.chain(head.writer, head.seq - 1, 1)
    if (last?.record.event !== 'audit.seal') open.push(head)
  }
  return open
    .filter(({ writer }) => writer !== own && !succeeded.has(writer))
    .map(({ writer, seq, hash }) => ({ writer, seq, hash }))
}

function nodeOf(writer: string): string {
  return writer.slice(0, writer.lastIndexOf('/'))
}

function namedBy(value: AuditValue | undefined): string[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((item: { writer?: unknown } | null) => (typeof item?.writer === 'string' ? [item.writer] : []))
}

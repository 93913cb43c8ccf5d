import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { subjectHash } from '../audit/payload-seal.js'
import type { AuditEntry, AuditRecord } from '../audit/store.js'
import { HooshError } from '../errors.js'
import type { Engine } from '../inference/engine.js'
import { type Exchange, json, type RouteDefinition } from './route.js'
import { idText } from './schemas.js'
import { validated } from './validate.js'

/** Most entries of one millisecond that one is looked for among. */
const MOST_ENTRIES = 1_000

const entryPath = z.object({ id: idText })
const userPath = z.object({ user: idText })

/** What a call asked or was answered, by the id of the entry that says so. That it was read is recorded first. */
export const auditPayload: RouteDefinition = {
  method: 'GET',
  path: '/v1/audit/:id/payload',
  access: 'admin',
  async handle(exchange, engine) {
    const { id } = validated(entryPath, exchange.params)
    const found = await engine.vault?.read(id)
    if (found === undefined || found === null) {
      const message =
        engine.vault === null
          ? 'Payloads are not kept here: `audit.payloads` is off.'
          : 'No payload is kept under this id. It is that of an entry; older ones are dropped.'
      throw new HooshError('not_found', { message })
    }
    await note(engine, exchange, {
      event: 'admin.payload_read',
      message: 'The payload of a call was read.',
      metadata: { entry: id, status: found.status },
    })
    const head = { object: 'audit.payload', id, status: found.status }
    if (found.status !== 'kept') return json(head, exchange)
    const { bytes, salt, hash, size, at } = found
    const entry = await entryOf(engine, id, at)
    const encoding = isUtf8(bytes) ? 'utf8' : 'base64'
    const what = { hash, salt, bytes: bytes.length, size, encoding, content: bytes.toString(encoding) }
    return json({ ...head, ...what, matches: entry && entry.metadata?.payload_hash === hash, entry }, exchange)
  },
}

/** Makes the payloads of a user unreadable for good. The log stays as it is, and says that this was done. */
export const auditErase: RouteDefinition = {
  method: 'DELETE',
  path: '/v1/audit/subjects/:user',
  access: 'admin',
  async handle(exchange, engine) {
    const { user } = validated(userPath, exchange.params)
    const subject_hash = subjectHash(user)
    await note(engine, exchange, {
      event: 'admin.erasure',
      message: 'The payloads of a user were erased.',
      metadata: { subject_hash },
    })
    // Also where nothing is kept any more: what is left of before has to go all the same.
    const erased = await (engine.vault?.erase(user) ?? engine.storage.payloads.erase(subject_hash))
    return json({ object: 'audit.erasure', user, subject_hash, erased }, exchange)
  },
}

async function note(
  { audit }: Engine,
  { caller, requestId }: Exchange,
  told: Pick<AuditRecord, 'event' | 'message' | 'metadata'>,
): Promise<void> {
  await audit?.stage(audit.record({ ...told, level: 'warn', subject: caller.user, requestId }))
}

/** Null where it has been archived. */
async function entryOf({ audit }: Engine, id: string, at: number): Promise<AuditEntry | null> {
  const page = await audit!.query({ from: at, to: at, limit: MOST_ENTRIES })
  return page.entries.find((entry) => entry.id === id) ?? null
}

import type { PreparedPayload } from '../audit/payload-vault.js'
import { filteredEvent, heldBack } from './answer-filter.js'
import type { Call } from './call.js'
import type { Engine } from './engine.js'
import { tellHook } from './hooks.js'
import { hostFilter } from './payloads.js'

/**
 * A streamed answer as the host's own parts are told of it, the hook `onChunk` and the payloads that are kept: redacted like
 * the caller's, but with stand-ins.
 */
export interface HostView {
  /** @param hasText it is one of those that the hook is told */
  take(event: Buffer, hasText: boolean): void
  /**
   * @param sample an event of the answer; null where none had come
   * @returns what is kept of it
   */
  end(sample: string | null): PreparedPayload | undefined
}

/** @returns null where nobody is told */
export function hostView(engine: Engine, call: Call): HostView | null {
  const { vault } = engine
  const isHooked = engine.settings.hooks?.onChunk !== undefined
  if (vault === null && !isHooked) return null
  const filter = hostFilter(engine, call)
  const kept: Buffer[] = []
  let left = vault?.maxBytes ?? 0
  let size = 0
  const keep = (bytes: Buffer) => {
    size += bytes.length
    if (left <= 0) return
    // A copy: a piece of a socket's chunk would keep all of that.
    kept.push(Buffer.from(bytes))
    left -= bytes.length
  }
  const tell = (data: string) => void tellHook(engine, call, 'onChunk', (hooks, info) => hooks.onChunk?.(info, data))
  const told = (bytes: Buffer, hasText: boolean) => {
    if (vault !== null) keep(bytes)
    if (!isHooked || bytes.length === 0) return
    const events = bytes.toString('utf8').split(BETWEEN)
    // What was held back goes out before an event that has no text of its own.
    for (const event of hasText ? events : events.slice(0, -1)) tell(event)
  }
  return {
    take: (event, hasText) => told(filter === null ? event : filteredEvent(filter, event), hasText),
    end(sample) {
      if (filter !== null) told(Buffer.from(heldBack(filter, sample)), true)
      return vault === null || size === 0 ? undefined : vault.prepare(Buffer.concat(kept), size)
    },
  }
}

/** What comes out of an event may be several, where something was held back. */
const BETWEEN = /(?<=\n\n)(?=data:)/

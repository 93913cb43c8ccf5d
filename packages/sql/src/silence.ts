import { HooshError } from '@hoosh/core/storage'
import type { Session, Source } from './source.js'

/**
 * A session on a database that may hang: where it says nothing for so long, whoever waits is told, and the connection is
 * given up, so that whatever was not committed never will be.
 *
 * @param limitMs for getting the connection, and for each answer on it
 */
export async function patient(source: Source, limitMs: number): Promise<Session> {
  const opening = source.open()
  const session = await answered(opening, limitMs, NO_CONNECTION).catch((error) => {
    // Should it come after all, nobody wants it any more.
    if (isSilence(error)) opening.then((late) => late.close(false)).catch(() => {})
    throw error
  })
  let broken: unknown = null
  return {
    async executeQuery(query) {
      if (broken !== null) throw broken
      try {
        return await answered(session.executeQuery(query), limitMs, NO_ANSWER)
      } catch (error) {
        if (isSilence(error)) broken = error
        throw error
      }
    },
    close: () => session.close(broken !== null),
  }
}

/** Settles as the answer does, or fails where that takes longer than the limit. */
function answered<T>(answer: Promise<T>, limitMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(silence(limitMs, what))
    // After a pause of this process the timer comes first, though the answer may have arrived long ago: it gets a turn.
    const timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), limitMs)
    answer.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

const NO_ANSWER = 'The database has said nothing'
/** The server may be away as well, but as often the host's own queries have all connections of the pool. */
const NO_CONNECTION = 'No connection to the database was free, and no new one made,'

const SILENT = { code: 'silent' }

function silence(limitMs: number, what: string): HooshError {
  const message = `${what} for ${limitMs} ms.`
  return new HooshError('store_unavailable', { message, cause: SILENT })
}

function isSilence(error: unknown): boolean {
  return error instanceof HooshError && error.cause === SILENT
}

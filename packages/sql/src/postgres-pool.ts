import type { Session, Source } from './source.js'

/** A pool of connections to Postgres with the interface of pg 8, of which these methods are called. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

/** A connection that was taken out of the pool. */
export interface PostgresClient {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>
  release(destroy?: boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

/**
 * Sessions on the host's pool. A connection that breaks between two queries tells of it by an event, which would end the
 * process if nobody listened; so does the pool for its idle ones.
 */
export function poolSource(pool: PostgresPool): Source {
  let isHeard = false
  return {
    async open(): Promise<Session> {
      const client = await pool.connect()
      client.on('error', ignore)
      return {
        executeQuery: ({ sql, parameters }) => client.query(sql, parameters as unknown[]),
        close(isBroken) {
          client.off('error', ignore)
          client.release(isBroken)
        },
      }
    },
    // A start that failed is tried again.
    start() {
      if (!isHeard) pool.on('error', ignore)
      isHeard = true
    },
    end() {
      pool.off('error', ignore)
      isHeard = false
    },
  }
}

/** Whoever was waiting for an answer is told by its own error; the next query finds the rest out. */
function ignore(): void {}

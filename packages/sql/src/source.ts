import type { Kysely } from 'kysely'
import type { Runner } from './statement.js'

/** A connection that is held. */
export interface Session extends Runner {
  /** Gives it back; where it is broken it is not to be used again. */
  close(isBroken: boolean): void
}

/** Where sessions come from. */
export interface Source {
  open(): Promise<Session>
  /** Before its first use, and after its last. */
  start?(): void
  end?(): void
}

/** Sessions on an instance of Kysely, which gives a connection out for as long as a callback runs. */
export function kyselySource(kysely: Kysely<unknown>): Source {
  return {
    open: () =>
      new Promise((resolve, reject) => {
        const held = (connection: Runner) =>
          new Promise<void>((close) => {
            resolve({ executeQuery: (query) => connection.executeQuery(query), close: () => close() })
          })
        kysely.connection().execute(held).catch(reject)
      }),
  }
}

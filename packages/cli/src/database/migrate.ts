import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Command } from '../command.js'
import { openSql } from './open.js'
import { DATABASE_FLAGS, placeOf } from './place.js'

/** Brings tables up to date. */
export const migrate: Command = {
  name: 'migrate',
  summary:
    'Brings the tables of hoosh in PostgreSQL or SQLite up to date. Exit code: 0 done or nothing to do, 1 not possible.',
  usage:
    'hoosh migrate --database URL|FILE [--schema NAME] [--prefix NAME] [--dry-run]\n\n' +
    '  --database  postgres://USER:PASSWORD@HOST/NAME, or the path of a SQLite file\n' +
    '  --schema    on PostgreSQL, the schema that the app gives sqlStorage; it is made where it is not there\n' +
    '  --prefix    in front of table names, as the app gives it to sqlStorage: hoosh_\n' +
    '  --dry-run   prints the SQL that would be run, and changes nothing\n\n' +
    '  Run it in the folder of the app: its @hoosh/sql and its driver are used. Exit code 69: the database or a\n' +
    '  driver is not there. 64: wrong arguments.',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...DATABASE_FLAGS,
        'dry-run': { type: 'boolean' },
      },
    })
    const place = placeOf(values.database, values.schema)
    if (typeof place === 'string') return place
    if (place.kind === 'redis') return 'Redis needs no migration: its keys are made as they are used.'
    const { schema, prefix, 'dry-run': dryRun = false } = values
    // A file that is not there yet would be made by looking at it.
    const isNew = place.kind === 'sqlite' && !existsSync(place.file)
    const at = dryRun && isNew ? { ...place, file: ':memory:' } : place
    const { storage, close } = await openSql(at, { schema, prefix, readOnly: dryRun && !isNew })
    try {
      const { from, to, statements } = await storage.migrate({ dryRun })
      if (dryRun) out(sqlOf(from, to, statements))
      else if (statements.length === 0) out(`${place.name}: up to date, at version ${to}.`)
      else
        out(
          `${place.name}${isNew ? ', a new file' : ''}: brought from ${from === 0 ? 'nothing' : `version ${from}`} to version ${to}.`,
        )
      return 0
    } finally {
      await close()
    }
  },
}

/** Something to run as it stands, whatever there is to do. */
function sqlOf(from: number, to: number, statements: readonly string[]): string {
  if (statements.length === 0) return `-- Up to date, at version ${to}.`
  const head = `-- From ${from === 0 ? 'nothing' : `version ${from}`} to version ${to}.`
  return [head, 'begin;', ...statements.map((text) => `${text};`), 'commit;'].join('\n\n')
}

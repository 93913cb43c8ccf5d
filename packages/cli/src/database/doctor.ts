import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Diagnosis, diagnose, type Explained } from '@hoosh/core/storage'
import { type Command, UNAVAILABLE_CODE } from '../command.js'
import { failureOf } from './failure.js'
import { openRedis, openSql } from './open.js'
import { DATABASE_FLAGS, placeOf } from './place.js'

/** Looks whether what is stored keeps every promise. */
export const doctor: Command = {
  name: 'doctor',
  summary:
    'Checks budgets, costs and audit log where they are stored, while the app runs. Exit code: 0 sound, 1 broken, 2 attention.',
  usage:
    'hoosh doctor --database URL|FILE [--schema NAME] [--prefix NAME] [--key FILE] [--json]\n\n' +
    '  --database  postgres://USER:PASSWORD@HOST/NAME, redis://HOST, or the path of a SQLite file\n' +
    '  --schema    on PostgreSQL, the schema that the app gives sqlStorage\n' +
    '  --prefix    as the app gives it to sqlStorage (hoosh_) or redisStorage (hoosh)\n' +
    '  --key       file with the configured `audit.key`; without it tags of the audit log are not checked\n' +
    '  --json      everything that was found, as JSON\n\n' +
    '  It changes nothing. Run it in the folder of the app: its packages and its driver are used. Exit code 69: the\n' +
    '  database or a driver is not there, or does not let it look. 64: wrong arguments.',
  async run(args, { out, err }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...DATABASE_FLAGS,
        key: { type: 'string' },
        json: { type: 'boolean' },
      },
    })
    const place = placeOf(values.database, values.schema)
    if (typeof place === 'string') return place
    const { schema, prefix, key } = values
    const auditKey = key === undefined ? undefined : readFileSync(key, 'utf8').replace(/\r?\n$/, '')
    const options = { schema, prefix, readOnly: true }
    const { storage, close } = place.kind === 'redis' ? await openRedis(place, prefix) : await openSql(place, options)
    try {
      const diagnosis = await diagnose(storage, { ...(auditKey !== undefined && { auditKey }) })
      for (const line of values.json === true ? [JSON.stringify(diagnosis, null, 2)] : told(place.name, diagnosis))
        out(line)
      return CODES[diagnosis.verdict]
    } catch (error) {
      const failure = failureOf(error)
      if (failure === null) throw error
      // 1 would say that the books are broken, and nobody has seen them.
      err(failure.message)
      return UNAVAILABLE_CODE
    } finally {
      await close()
    }
  },
}

const CODES = { sound: 0, broken: 1, attention: 2 } as const

/** Most sentences of one kind; the JSON has all. */
const MOST_TOLD = 10

function told(name: string, { verdict, findings, looked }: Diagnosis): string[] {
  const amounts = Object.entries(looked).map(([what, count]) => `${count} ${what}`)
  const kinds = [...new Set(findings.map(({ code }) => code))]
  return [
    `${name}: ${verdict}`,
    ...(amounts.length === 0 ? [] : [`looked at ${amounts.join(', ')}`]),
    ...kinds.flatMap((code) => ['', ...toldOf(findings.filter((finding) => finding.code === code))]),
  ]
}

function toldOf(findings: readonly Explained[]): string[] {
  const { severity, help } = findings[0]!
  const more = findings.length - MOST_TOLD
  return [
    ...findings.slice(0, MOST_TOLD).map(({ message }) => `${severity}: ${message}`),
    ...(more > 0 ? [`and ${more} more like it (--json has them)`] : []),
    help,
  ]
}

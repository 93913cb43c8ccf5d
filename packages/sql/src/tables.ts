import { HooshError } from '@hoosh/core/storage'

/** In front of each table's name, unless said otherwise. */
export const DEFAULT_PREFIX = 'hoosh_'

const NAMES = [
  'schema',
  'pools',
  'accounts',
  'holds',
  'corrections',
  'credits',
  'staged',
  'audit',
  'writers',
  'checkpoints',
  'usage',
  'totals',
  'rates',
  'events',
  'places',
  'keys',
  'cache',
  'payloads',
  'subjects',
] as const

/** Our tables as statements name them. The schema is quoted, since it may be a word of SQL's own (`user`, `order`). */
export type Tables = Readonly<Record<(typeof NAMES)[number], string>>

const NAME = /^[a-z_][a-z0-9_]{0,31}$/

/** @throws HooshError `invalid_options` for a prefix or schema that is not lower-case letters, digits and underscores, 32 at most */
export function tablesOf(prefix: string, schema?: string): Tables {
  for (const [option, name] of Object.entries({ prefix, schema })) {
    if (name === undefined || NAME.test(name)) continue
    const message = `\`${option}\` must be lower-case letters, digits and underscores, 32 at most, the first no digit.`
    throw new HooshError('invalid_options', { message, details: { param: option } })
  }
  const place = schema === undefined ? '' : `"${schema}".`
  return Object.fromEntries(NAMES.map((name) => [name, place + prefix + name])) as Tables
}

/** The schema that tables stand in, where one was given. */
export function schemaOf({ schema }: Tables): string | null {
  return /^"(.+)"\./.exec(schema)?.[1] ?? null
}

/** An index stands in the schema of its table, and is named without it. */
export function indexOn(table: string, name: string): string {
  return `${table.slice(table.indexOf('.') + 1)}_${name}`
}

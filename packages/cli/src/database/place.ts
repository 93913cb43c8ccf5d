/** Flags of every command that works on a database. */
export const DATABASE_FLAGS = {
  database: { type: 'string' },
  schema: { type: 'string' },
  prefix: { type: 'string' },
} as const

/** Where tables or keys are. */
export type Place = SqlPlace | RedisPlace

export type SqlPlace =
  | { readonly kind: 'postgres'; readonly url: string; readonly name: string }
  | { readonly kind: 'sqlite'; readonly file: string; readonly name: string }

export interface RedisPlace {
  readonly kind: 'redis'
  readonly url: string
  /** As it may be shown. */
  readonly name: string
}

/** Where `--database` points; a text says what is wrong with it, or with a schema beside it. */
export function placeOf(database: string | undefined, schema: string | undefined): Place | string {
  const place = read(database)
  if (typeof place === 'string' || schema === undefined || place.kind === 'postgres') return place
  return '--schema is for PostgreSQL; elsewhere a --prefix tells tables or keys apart.'
}

function read(database: string | undefined): Place | string {
  if (database === undefined || database === '')
    return 'Which database? --database postgres://USER@HOST/NAME, redis://HOST, or the path of a SQLite file'
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(database)?.[1]?.toLowerCase()
  // One letter is a drive.
  if (scheme === undefined || scheme.length === 1) return { kind: 'sqlite', file: database, name: database }
  const kind = KINDS[scheme]
  if (kind === undefined)
    return `"${scheme}:" is no database that is known here: postgres://, redis://, or the path of a SQLite file`
  if (!URL.canParse(database))
    return `That is no URL (is a "@", "/" or "#" in the password? Write it as %40, %2F or %23)`
  return { kind, url: database, name: shown(database) }
}

const KINDS: Readonly<Record<string, 'postgres' | 'redis'>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  redis: 'redis',
  rediss: 'redis',
}

/** Without what nobody should read in a terminal or a CI log. */
function shown(database: string): string {
  const url = new URL(database)
  url.password = ''
  url.search = ''
  return url.href
}

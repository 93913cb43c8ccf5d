import { createHash } from 'node:crypto'

/** A script as Redis keeps it: by the digest of its text, which so is its version as well. */
export interface Script {
  readonly text: string
  readonly sha: string
}

/**
 * @param flags of Redis 7: `no-writes`, `allow-oom`. A script that may write is refused as a whole where memory is full,
 *   unless it says `allow-oom`
 */
export function script(flags: '' | 'no-writes' | 'allow-oom', ...parts: readonly string[]): Script {
  const text = `#!lua flags=${flags}\n${parts.join('\n')}`
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * What every script begins with. KEYS[1] is the root that all keys begin with, so that a key prefix of the client counts
 * for all of them, and so that its hash tag puts all of them on one node of a cluster.
 *
 * Each answer begins with the server's clock, then a word that says what it is.
 */
export const OPENING = `
local P = KEYS[1]
local argued = 0
local function word() argued = argued + 1; return ARGV[argued] end
local function number() return tonumber(word()) end
local function text(n) return string.format('%.0f', n) end
local time = redis.call('TIME')
local NOW = time[1] * 1000 + math.floor(time[2] / 1000)
local function say(...) return { text(NOW), ... } end
`

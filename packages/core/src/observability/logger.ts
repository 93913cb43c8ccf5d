import { pino } from 'pino'
import type { Logger } from '../options.js'

/** Fields whose values are never logged, at the top level and one below. */
const SECRET_FIELDS = ['apiKey', 'authorization', 'cookie', 'key', 'password', 'secret', 'signingKey', 'token']

/** DEL, NEL and the other C1 controls, CSI among them, and Unicode's ends of lines and paragraphs. */
const BREAKS = /[\u007f-\u009f\u2028\u2029]/g

/**
 * The host's logger, or the default: one JSON line per event on standard output, from `info` up, with secrets blanked.
 *
 * The default is made with its first line, so that a gateway which was only created opens nothing.
 */
export function loggerOf(option: Logger | false | undefined): Logger {
  if (option === false) return silent
  return option ?? onFirstLine(jsonLines)
}

/**
 * JSON lines to a stream, standard output by default; blocks until written, so that no line is lost when the process ends.
 * A line has at most 16,384 characters: what is longer has its fields cut, and says so.
 */
export function jsonLines(destination?: { write(line: string): void }): Logger {
  const options = {
    name: 'hoosh',
    level: 'info',
    // Signs that some readers take for the end of a line, or for a command, are written as JSON can write them too.
    hooks: {
      streamWrite: (line: string) =>
        bounded(line).replace(BREAKS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`),
    },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[secret]' },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/** Characters of a line, and what is left of a field where a line would be longer: no client fills a disk with one request. */
const MAX_LINE = 16_384
const MAX_TEXT = 1_024
const MAX_ITEMS = 20

/** The same line, or one with its long fields cut; where they are many, only what every line has. */
function bounded(line: string): string {
  if (line.length <= MAX_LINE) return line
  const fields = JSON.parse(line) as Record<string, unknown>
  const short = JSON.stringify(fields, (_, value: unknown) => {
    if (typeof value === 'string' && value.length > MAX_TEXT)
      return `${value.slice(0, MAX_TEXT)}… (${value.length} characters)`
    return Array.isArray(value) && value.length > MAX_ITEMS ? [...value.slice(0, MAX_ITEMS), '…'] : value
  })
  if (short.length < MAX_LINE) return `${short}\n`
  const { level, time, pid, hostname, name, msg } = fields
  const text = typeof msg === 'string' ? msg.slice(0, MAX_TEXT) : undefined
  return `${JSON.stringify({ level, time, pid, hostname, name, cut: line.length, msg: text })}\n`
}

function onFirstLine(make: () => Logger): Logger {
  let made: Logger | undefined
  const logger = () => {
    made ??= make()
    return made
  }
  return {
    debug: (details, message) => logger().debug(details, message),
    info: (details, message) => logger().info(details, message),
    warn: (details, message) => logger().warn(details, message),
    error: (details, message) => logger().error(details, message),
  }
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

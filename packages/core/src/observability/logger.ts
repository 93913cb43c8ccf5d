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

/** JSON lines to a stream, standard output by default; blocks until written, so that no line is lost when the process ends. */
export function jsonLines(destination?: { write(line: string): void }): Logger {
  const options = {
    name: 'hoosh',
    level: 'info',
    // Signs that some readers take for the end of a line, or for a command, are written as JSON can write them too.
    hooks: {
      streamWrite: (line: string) =>
        line.replace(BREAKS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`),
    },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[secret]' },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
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

import { readFileSync } from 'node:fs'
import { auditKeys } from './audit/keys.js'
import { auditVerify } from './audit/verify.js'
import { type Command, type Output, USAGE_CODE } from './command.js'
import { doctor } from './database/doctor.js'
import { failureOf } from './database/failure.js'
import { migrate } from './database/migrate.js'

/** Every command there is; a new one is one line here and a file of its own. */
const COMMANDS: readonly Command[] = [migrate, doctor, auditVerify, auditKeys]

/** Finds the command that the first words name and runs it; answers with the exit code. */
export async function run(args: readonly string[], output: Output): Promise<number> {
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, index) => args[index] === word))
  if (command === undefined) return unknown(args, output)
  const rest = args.slice(command.name.split(' ').length)
  if (rest.includes('--help') || rest.includes('-h')) {
    output.out(`${command.summary}\n\n  ${command.usage}`)
    return 0
  }
  try {
    const answer = await command.run(rest, output)
    return typeof answer === 'number' ? answer : misused(command, answer, output)
  } catch (error) {
    const failure = failureOf(error)
    if (failure === null) return misused(command, wordsOf(error), output)
    output.err(failure.message)
    return failure.code
  }
}

/** A file that cannot be read is told of in words; what Node says of the others is good enough. */
function wordsOf(error: unknown): string {
  const { code, path, message } = Object(error) as { code?: unknown; path?: unknown; message?: unknown }
  if (code === 'ENOENT') return `There is no file ${String(path)}.`
  if (code === 'EISDIR') return 'That is a folder; name the files in it.'
  return typeof message === 'string' ? message : String(error)
}

function misused({ usage }: Command, what: string, { err }: Output): number {
  err(`${what}\n\n  ${usage}`)
  return USAGE_CODE
}

function unknown(args: readonly string[], { out, err }: Output): number {
  if (args[0] === '--version' || args[0] === '-v') {
    out(version())
    return 0
  }
  const isHelp = args.length === 0 || /^(--help|-h|help)$/.test(args[0]!)
  if (!isHelp) err(`There is no command "${args.slice(0, 2).join(' ')}".\n`)
  for (const line of help()) (isHelp ? out : err)(line)
  return isHelp ? 0 : USAGE_CODE
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}

function help(): string[] {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length))
  return [
    'hoosh <command>',
    '',
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'What a command takes: hoosh <command> --help. Which hoosh this is: hoosh --version',
  ]
}

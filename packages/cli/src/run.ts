import { auditKeys } from './audit/keys.js'
import { auditVerify } from './audit/verify.js'
import { type Command, type Output, USAGE_CODE } from './command.js'

/** Every command there is; a new one is one line here and a file of its own. */
const COMMANDS: readonly Command[] = [auditVerify, auditKeys]

/** Finds the command that the first words name and runs it; answers with the exit code. */
export function run(args: readonly string[], output: Output): number {
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, index) => args[index] === word))
  if (command === undefined) {
    const isHelp = args.length === 0 || /^(--help|-h|help)$/.test(args[0]!)
    for (const line of help()) (isHelp ? output.out : output.err)(line)
    return isHelp ? 0 : USAGE_CODE
  }
  const rest = args.slice(command.name.split(' ').length)
  if (rest.includes('--help') || rest.includes('-h')) {
    output.out(`${command.summary}\n\n  ${command.usage}`)
    return 0
  }
  const answer = attempt(() => command.run(rest, output))
  if (typeof answer === 'number') return answer
  output.err(`${answer}\n\n  ${command.usage}`)
  return USAGE_CODE
}

function attempt(command: () => number | string): number | string {
  try {
    return command()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function help(): string[] {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length))
  return ['hoosh <command>', '', ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)]
}

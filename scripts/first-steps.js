// The first steps of docs/budgets.md, as somebody takes them: the commands of its block, word for word but for the packages,
// which are the tarballs given, and the port. Run by check-packages.js.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

const SERVER = 'postgres://postgres@127.0.0.1:5432'
const PAGE = 'docs/budgets.md'
const MOST_COMMANDS = 12

/**
 * @param {string} folder where a new one may be made
 * @param {ReadonlyMap<string, string>} tarballs by package
 */
export async function firstSteps(folder, tarballs) {
  const lines = commandsOf(readFileSync(fileURLToPath(new URL(`../${PAGE}`, import.meta.url)), 'utf8'))
  const count = countOf(lines)
  if (count > MOST_COMMANDS) throw new Error(`${PAGE}: ${count} commands, ${MOST_COMMANDS} at most`)
  const admin = new pg.Client({ connectionString: `${SERVER}/postgres`, connectionTimeoutMillis: 5_000 })
  try {
    await admin.connect()
  } catch (error) {
    if (process.env.HOOSH_SERVICES === 'required') throw error
    console.log(`first steps: SKIPPED, no PostgreSQL at ${SERVER}`)
    return
  }
  const database = `hoosh_steps_${process.pid}`
  try {
    await admin.query(`create database ${database}`)
    const script = withTarballs(lines.join('\n'), tarballs).replaceAll('3000', String(await freePort()))
    const output = await run(script, mkdtempSync(join(folder, 'steps-')), `${SERVER}/${database}`)
    const used = [...output.matchAll(/"used":(\d+)/g)].map(([, tokens]) => Number(tokens))
    const isMetered = used.length === 2 && used[0] === 0 && Number(used[1]) > 0
    if (!isMetered || !output.includes(': sound')) throw new Error(`the first steps end otherwise:\n${output}`)
    console.log(`first steps: ${count} commands, passed; the pool went from 0 to ${used[1]} tokens used`)
  } finally {
    await admin.query(`drop database if exists ${database} with (force)`)
    await admin.end()
  }
}

/** Lines of the one block of commands. @param {string} text */
function commandsOf(text) {
  const block = /^## From nothing\n.*?^```sh\n(.*?)^```/ms.exec(text)?.[1]
  if (block === undefined) throw new Error(`${PAGE} has no block of commands under "From nothing"`)
  return block.trimEnd().split('\n')
}

/** A file that is written in place is no command, nor is the rest of one that goes on; `&&` is another one. @param {string[]} lines */
function countOf(lines) {
  let count = 0
  let end = ''
  let goesOn = false
  for (const line of lines) {
    if (end !== '') {
      if (line === end) end = ''
      continue
    }
    end = /<<'(\w+)'/.exec(line)?.[1] ?? ''
    count += line.split(' && ').length - (goesOn ? 1 : 0)
    goesOn = line.endsWith('\\')
  }
  return count
}

/**
 * @param {string} script
 * @param {ReadonlyMap<string, string>} tarballs
 */
function withTarballs(script, tarballs) {
  return script.replace(/^npm install (.*)$/m, (_, names) => {
    const given = names.split(' ').map((/** @type {string} */ name) => tarballs.get(name) ?? name)
    // What the registry would bring along.
    return `npm install --no-audit --no-fund --loglevel=error ${[tarballs.get('@hoosh/core'), ...given].join(' ')}`
  })
}

/**
 * @param {string} script
 * @param {string} cwd
 * @param {string} database
 */
async function run(script, cwd, database) {
  const shell = spawn('bash', ['-e', '-c', script], {
    cwd,
    env: { ...process.env, DATABASE_URL: database },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const ended = once(shell, 'close')
  const [code] = await once(shell, 'exit')
  // The app runs on in the background, in the group of the shell.
  process.kill(-Number(shell.pid))
  await ended
  if (code !== 0) throw new Error(`the first steps fail with ${code}:\n${output}`)
  return output
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

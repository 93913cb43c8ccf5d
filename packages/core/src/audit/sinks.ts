import { execFile } from 'node:child_process'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { guardedLookup, reachOf } from '../address.js'
import { HooshError } from '../errors.js'
import { syncFolder } from './folder.js'
import { checkPath } from './path.js'

/** Takes a checkpoint to where it is safe: what `audit.onCheckpoint` is. Rejects where it could not. */
export type CheckpointSink = (line: string) => Promise<void>

/**
 * Appends checkpoints to a file, one a line, and waits for the disk. Nothing is taken back, since such a file may be one that
 * only takes more: behind a line that a crash tore a new one begins, and whoever verifies passes over it.
 *
 * @param path its folder is made; put it where the app's user may append and nothing else, or on another machine
 * @throws HooshError `invalid_options` for a path that is none
 */
export function fileSink(path: string): CheckpointSink {
  checkPath(path, 'fileSink', 'a file')
  return async (line) => {
    await mkdir(dirname(path), { recursive: true })
    await appendLine(path, line)
  }
}

/**
 * Commits checkpoints to a git repository, in the file `checkpoints.ndjson`: history that others have pulled cannot be
 * rewritten unseen.
 *
 * @param directory a clone that nothing else works in
 * @param options.push push after each commit; a failed push is repeated with the next line
 * @throws HooshError `invalid_options` for a path that is none
 */
export function gitSink(directory: string, { push = false }: { push?: boolean } = {}): CheckpointSink {
  checkPath(directory, 'gitSink', 'a folder')
  const git = async (...args: string[]) => {
    await promisify(execFile)('git', ['-C', directory, ...args], { timeout: GIT_MS })
  }
  return async (line) => {
    await appendLine(join(directory, FILE), line)
    await git('add', '--', FILE)
    const isCommitted = await git('diff', '--cached', '--quiet').then(
      () => true,
      () => false,
    )
    if (!isCommitted) await git(...AUTHOR, 'commit', '--quiet', '--message', 'hoosh: audit checkpoint')
    if (push) await git('push', '--quiet')
  }
}

interface HttpSinkOptions {
  headers?: Record<string, string>
  timeoutMs?: number
  privateNetwork?: boolean
}

/**
 * Posts checkpoints to an URL, one a request, as `application/json`; every 2xx takes it. Redirects are not followed. What may be
 * connected to is what providers may be: no link-local address and none where clouds keep credentials.
 *
 * @param options.privateNetwork plain http to private addresses too, not only to this machine
 * @throws HooshError `invalid_options` for an URL that may not be reached or has credentials in it, and for a header that cannot be sent
 */
export function httpSink(
  url: string | URL,
  { headers = {}, timeoutMs = 10_000, privateNetwork = false }: HttpSinkOptions = {},
): CheckpointSink {
  const [target, sent] = [checkedUrl(url), checkedHeaders(headers)]
  const reach = reachOf(target, { privateNetwork }, { what: 'The URL of a sink of checkpoints', secret: 'they' })
  const options = { method: 'POST', headers: sent, agent: false, lookup: guardedLookup(reach) }
  return async (line) => {
    const status = await post(target, { ...options, signal: AbortSignal.timeout(timeoutMs) }, `${line}\n`)
    if (status < 200 || status > 299)
      throw new HooshError('store_unavailable', { message: `The sink of checkpoints answered ${status}.` })
  }
}

/** Not `fetch`, which connects to wherever a name leads. */
function post(target: URL, options: RequestOptions, body: string): Promise<number> {
  const begin = target.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const sending = begin(target, options, (reply) => {
      resolve(reply.statusCode ?? 0)
      // What it says is nobody's business, however long it is.
      reply.destroy()
    })
    sending.on('error', (error) => reject(error.name === 'AbortError' ? error.cause : error))
    sending.end(body)
  })
}

const FILE = 'checkpoints.ndjson'
const GIT_MS = 20_000
const AUTHOR = ['-c', 'user.name=hoosh', '-c', 'user.email=hoosh@localhost', '-c', 'commit.gpgsign=false'] as const
/** More than any line of ours. */
const TAIL_BYTES = 8_192

/** Appends a line unless it is the last one already, which a repetition after a lost answer would find. */
async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, 'a+', 0o640)
  try {
    const tail = await tailOf(file)
    const isTorn = tail !== '' && !tail.endsWith('\n')
    // Not `write`, which on a nearly full disk may take a part of the line and say nothing.
    if (!`\n${tail}`.endsWith(`\n${line}\n`)) await file.appendFile(isTorn ? `\n${line}\n` : `${line}\n`)
    // Also where it is there already: whoever wrote it may not have waited until the disk had it.
    await file.sync()
  } finally {
    await file.close()
  }
  await syncFolder(dirname(path))
}

async function tailOf(file: FileHandle): Promise<string> {
  const { size } = await file.stat()
  const from = Math.max(0, size - TAIL_BYTES)
  const bytes = Buffer.alloc(size - from)
  await file.read(bytes, 0, bytes.length, from)
  return bytes.toString()
}

function checkedUrl(url: string | URL): URL {
  const target = URL.canParse(String(url)) ? new URL(url) : null
  if (target === null || !/^https?:$/.test(target.protocol)) throw refused('takes an https URL, or an http one nearby')
  // Errors of the system quote it.
  if (target.username !== '' || target.password !== '') throw refused('takes credentials in a header, not in its URL')
  return target
}

/** What sends them would refuse the same ones, and might quote their values. */
function checkedHeaders(headers: Record<string, string>): Record<string, string> {
  const checked = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    try {
      checked.set(name, value)
    } catch {
      throw refused(`cannot send its header ${JSON.stringify(name)}`)
    }
  }
  checked.set('content-type', 'application/json')
  return Object.fromEntries(checked)
}

function refused(what: string): HooshError {
  return new HooshError('invalid_options', { message: `A sink of checkpoints ${what}.` })
}

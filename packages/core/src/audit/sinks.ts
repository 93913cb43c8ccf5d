import { execFile } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { HooshError } from '../errors.js'

/** Takes a checkpoint to where it is safe: what `audit.onCheckpoint` is. Rejects where it could not. */
export type CheckpointSink = (line: string) => Promise<void>

/**
 * Appends checkpoints to a file, one a line, and waits for the disk. A line that a crash tore is taken back first.
 *
 * @param path its folder is made; put it where the app's user may append and nothing else, or on another machine
 */
export function fileSink(path: string): CheckpointSink {
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
 */
export function gitSink(directory: string, { push = false }: { push?: boolean } = {}): CheckpointSink {
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

/**
 * Posts checkpoints to an URL, one a request, as `application/json`; every 2xx takes it. Redirects are not followed.
 *
 * @throws HooshError `invalid_options` for an URL that is neither https nor of this machine or has credentials in it, and for
 *   a header that cannot be sent
 */
export function httpSink(
  url: string | URL,
  { headers = {}, timeoutMs = 10_000 }: { headers?: Record<string, string>; timeoutMs?: number } = {},
): CheckpointSink {
  const [target, sent] = [checkedUrl(url), checkedHeaders(headers)]
  return async (line) => {
    const reply = await fetch(target, {
      method: 'POST',
      headers: sent,
      body: `${line}\n`,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    await reply.body?.cancel()
    if (!reply.ok)
      throw new HooshError('store_unavailable', { message: `The sink of checkpoints answered ${reply.status}.` })
  }
}

const FILE = 'checkpoints.ndjson'
const GIT_MS = 20_000
const AUTHOR = ['-c', 'user.name=hoosh', '-c', 'user.email=hoosh@localhost', '-c', 'commit.gpgsign=false'] as const
/** More than any line of ours. */
const TAIL_BYTES = 8_192

/** Appends a line unless it is the last one already, which a repetition after a lost answer would find. */
async function appendLine(path: string, line: string): Promise<void> {
  const tail = await lastLine(path)
  if (tail.text === line && !tail.isTorn) return
  if (tail.isTorn) await cut(path, tail.start)
  const file = await open(path, 'a', 0o640)
  try {
    // Not `write`, which on a nearly full disk may take a part of the line and say nothing.
    await file.appendFile(`${line}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function lastLine(path: string): Promise<{ text: string; start: number; isTorn: boolean }> {
  const file = await open(path, 'a+', 0o640)
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - TAIL_BYTES)
    const bytes = Buffer.alloc(size - from)
    await file.read(bytes, 0, bytes.length, from)
    const isTorn = bytes.length > 0 && bytes.at(-1) !== 10
    const end = isTorn ? bytes.length : bytes.length - 1
    const start = bytes.lastIndexOf(10, end - 1) + 1
    return { text: bytes.toString('utf8', start, Math.max(start, end)), start: from + start, isTorn }
  } finally {
    await file.close()
  }
}

async function cut(path: string, length: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.truncate(length)
  } finally {
    await file.close()
  }
}

function checkedUrl(url: string | URL): URL {
  const target = URL.canParse(String(url)) ? new URL(url) : null
  const isHere = target !== null && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(target.hostname)
  const isSafe = target?.protocol === 'https:' || (isHere && target?.protocol === 'http:')
  if (target === null || !isSafe) throw refused('takes an https URL, or an http one of this machine')
  // `fetch` would refuse it too, and quote it.
  if (target.username !== '' || target.password !== '') throw refused('takes credentials in a header, not in its URL')
  return target
}

/** `fetch` would refuse the same ones, and quote their values. */
function checkedHeaders(headers: Record<string, string>): Headers {
  const checked = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    try {
      checked.set(name, value)
    } catch {
      throw refused(`cannot send its header ${JSON.stringify(name)}`)
    }
  }
  checked.set('content-type', 'application/json')
  return checked
}

function refused(what: string): HooshError {
  return new HooshError('invalid_options', { message: `A sink of checkpoints ${what}.` })
}

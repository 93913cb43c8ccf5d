import { execFileSync, spawnSync } from 'node:child_process'
import dns from 'node:dns'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileArchive, fileSink, gitSink, httpSink } from '@hoosh/core/audit'
import { describe, expect, it, onTestFinished } from 'vitest'

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'hoosh-sink-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Whether a file can be made one that may only be appended to. */
function appends(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'hoosh-append-'))
  try {
    return ['+a', '-a'].every((flag) => spawnSync('chattr', [flag, path]).status === 0)
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

describe('a sink that is a file', () => {
  it('has one line for each checkpoint, makes its folder, and takes a repetition once', async () => {
    const path = join(folder(), 'far', 'checkpoints.ndjson')
    const sink = fileSink(path)
    for (const line of ['{"a":1}', '{"a":1}', '{"b":"ü"}', '{"c":3}']) await sink(line)
    expect(readFileSync(path, 'utf8')).toBe('{"a":1}\n{"b":"ü"}\n{"c":3}\n')
  })

  it('takes nothing back: behind a torn line it begins a new one', async () => {
    const path = join(folder(), 'checkpoints.ndjson')
    for (const whole of ['', '{"a":1}\n']) {
      for (const torn of ['{"b":"to', '{"c":3}', Buffer.from('{"b":"ü').subarray(0, -1)]) {
        const before = Buffer.concat([Buffer.from(whole), Buffer.from(torn)])
        writeFileSync(path, before)
        for (let time = 0; time < 2; time += 1) await fileSink(path)('{"c":3}')
        expect(readFileSync(path)).toEqual(Buffer.concat([before, Buffer.from('\n{"c":3}\n')]))
      }
    }
  })

  it.skipIf(!appends())(
    'goes on behind a torn line where it may only append (chattr +a, for root on some disks)',
    async () => {
      const path = join(folder(), 'checkpoints.ndjson')
      writeFileSync(path, '{"b":"to')
      execFileSync('chattr', ['+a', path])
      onTestFinished(() => void execFileSync('chattr', ['-a', path]))
      await fileSink(path)('{"c":3}')
      expect(readFileSync(path, 'utf8')).toBe('{"b":"to\n{"c":3}\n')
    },
  )

  it.skipIf(process.getuid?.() === 0)('rejects where it may not write (skipped for root, who may)', async () => {
    const path = join(folder(), 'checkpoints.ndjson')
    writeFileSync(path, '')
    chmodSync(path, 0o400)
    await expect(fileSink(path)('{"a":1}')).rejects.toMatchObject({ code: 'EACCES' })
  })
})

it.skipIf(!existsSync('/dev/full'))('a file that takes nothing rejects (/dev/full, where there is one)', async () => {
  await expect(fileSink('/dev/full')('{"a":1}')).rejects.toMatchObject({ code: 'ENOSPC' })
})

it.each<[string, (path: string) => unknown]>([
  ['fileSink', fileSink],
  ['gitSink', gitSink],
  ['fileArchive', fileArchive],
])('%s without a path says so when it is made', (name, make) => {
  for (const path of [undefined, '', null, {}]) {
    expect(() => make(path as string)).toThrow(
      expect.objectContaining({
        code: 'invalid_options',
        message: expect.stringMatching(`\`${name}\` takes the path of .*is its environment variable set\\?$`),
      }),
    )
  }
})

describe('a sink that is a git repository', () => {
  it('commits each line, and a repetition once', async () => {
    const path = folder()
    const git = (...args: string[]) => execFileSync('git', ['-C', path, ...args], { encoding: 'utf8' })
    git('init', '--quiet')
    const sink = gitSink(path)
    for (const line of ['{"a":1}', '{"a":1}', '{"b":2}']) await sink(line)
    expect(git('show', 'HEAD:checkpoints.ndjson')).toBe('{"a":1}\n{"b":2}\n')
    expect(git('log', '--format=%s').trim().split('\n')).toHaveLength(2)
    expect(git('status', '--porcelain')).toBe('')
  })

  it('that is broken takes nothing, and the line once when it is mended', async () => {
    const path = folder()
    const git = (...args: string[]) => execFileSync('git', ['-C', path, ...args], { encoding: 'utf8' })
    git('init', '--quiet')
    await gitSink(path)('{"a":1}')
    const head = readFileSync(join(path, '.git', 'HEAD'))
    for (const breakIt of [
      () => writeFileSync(join(path, '.git', 'index.lock'), ''),
      () => writeFileSync(join(path, '.git', 'HEAD'), 'nonsense'),
    ]) {
      breakIt()
      await expect(gitSink(path)('{"b":2}')).rejects.toThrow(/git/)
      await expect(gitSink(path)('{"b":2}')).rejects.toThrow(/git/)
      rmSync(join(path, '.git', 'index.lock'), { force: true })
      writeFileSync(join(path, '.git', 'HEAD'), head)
    }
    await gitSink(path)('{"b":2}')
    expect(git('show', 'HEAD:checkpoints.ndjson')).toBe('{"a":1}\n{"b":2}\n')
  })

  it('rejects where there is none', async () => {
    await expect(gitSink(folder())('{"a":1}')).rejects.toThrow(/git/)
  })
})

describe('a sink behind HTTP', () => {
  const served = async (status: number, headers = {}) => {
    const got: { body: string; auth: string | undefined }[] = []
    const server = createServer((req, res) => {
      let body = ''
      req.on('data', (chunk) => (body += chunk))
      req.on('end', () => {
        got.push({ body, auth: req.headers.authorization })
        res.writeHead(status, headers).end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
  }

  it('gets the line with the headers that were given', async () => {
    const { got, url } = await served(204)
    await httpSink(url, { headers: { authorization: 'Bearer x' } })('{"a":1}')
    expect(got).toEqual([{ body: '{"a":1}\n', auth: 'Bearer x' }])
  })

  it('that hangs has not taken it when its time is over', async () => {
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    await expect(httpSink(url, { timeoutMs: 50 })('{"a":1}')).rejects.toThrow(/timeout/)
    await expect(httpSink('http://127.0.0.1:1/')('{"a":1}')).rejects.toThrow()
  })

  it.each([
    [503, {}],
    [302, { location: 'http://127.0.0.1:1/' }],
  ])('that answers %i has not taken it', async (status, headers) => {
    await expect(httpSink((await served(status, headers)).url)('{"a":1}')).rejects.toThrow()
  })

  it.each(['http://example.org/', 'ftp://127.0.0.1/', 'nonsense', 'http://127.0.0.1.example.org/'])(
    'is not one at %s',
    (url) => {
      expect(() => httpSink(url)).toThrow(/https/)
    },
  )

  it.each([
    'http://169.254.169.254/latest',
    'https://169.254.169.254/',
    'https://[::ffff:169.254.169.254]/',
    'https://0xa9fea9fe/',
    'https://[fd00:ec2::254]/',
    'https://100.100.100.200/',
    'http://8.8.8.8/',
  ])('is not one at %s, whatever is said', (url) => {
    expect(() => httpSink(url, { privateNetwork: true })).toThrow(expect.objectContaining({ code: 'invalid_options' }))
  })

  it.each(['http://10.0.0.8/', 'http://collector:8080/', 'http://[fd00::8]/'])('%s needs privateNetwork', (url) => {
    expect(() => httpSink(url)).toThrow(/privateNetwork/)
    expect(() => httpSink(url, { privateNetwork: true })).not.toThrow()
  })

  it('whose name leads to where none may be is not connected to', async () => {
    const { lookup } = dns
    onTestFinished(() => {
      dns.lookup = lookup
      syncBuiltinESMExports()
    })
    dns.lookup = ((...[, , answer]: [string, unknown, (error: null, found: object[]) => void]) =>
      answer(null, [{ address: '169.254.169.254', family: 4 }])) as unknown as typeof lookup
    syncBuiltinESMExports()
    await expect(httpSink('https://collector.example.org/')('{"a":1}')).rejects.toMatchObject({
      code: 'EFORBIDDENADDRESS',
    })
  })

  it.each<[string, () => unknown]>([
    [
      'a header that cannot be sent',
      () => httpSink('http://127.0.0.1:1/', { headers: { authorization: 'magpie\nx' } }),
    ],
    ['credentials in the URL', () => httpSink('https://me:magpie@example.org/')],
  ])('that could not work is refused before it is used, and its secret is not quoted: %s', (_, make) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'invalid_options', message: expect.not.stringMatching(/magpie/) }),
    )
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileArchive, fileSink } from '@hoosh/core/audit'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'hoosh-durable-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** What was waited for until the disk had it, in order. */
async function watched(): Promise<string[]> {
  const handle = await open(tmpdir(), 'r')
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const synced: string[] = []
  const { sync } = prototype
  vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    synced.push((await this.stat()).isDirectory() ? 'folder' : 'file')
    await sync.call(this)
  })
  onTestFinished(() => void vi.restoreAllMocks())
  return synced
}

describe('what is said to be kept is on the disk, with its name', () => {
  it('a segment', async () => {
    const archive = fileArchive(folder())
    const synced = await watched()
    const text = async function* () {
      yield 'line\n'
    }
    await archive({ writer: 'w', from: 1, through: 1, name: 'w', text })
    expect(synced).toEqual(['file', 'folder'])
  })

  it('a checkpoint, also one that was there already', async () => {
    const path = join(folder(), 'checkpoints.ndjson')
    writeFileSync(path, 'one\n')
    const synced = await watched()
    await fileSink(path)('one')
    expect(synced).toEqual(['file', 'folder'])
    await fileSink(path)('two')
    expect(synced).toEqual(['file', 'folder', 'file', 'folder'])
  })
})

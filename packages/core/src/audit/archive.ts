import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from './folder.js'
import { checkPath } from './path.js'
import type { AuditSegment } from './retention.js'

/**
 * Archives segments as files `<writer>.<first>-<last>.ndjson` in a folder, which is made. A file has its name only when all of
 * it is on the disk. `hoosh audit verify` takes them in the order of their names, before what is exported now.
 *
 * @throws HooshError `invalid_options` for a path that is none
 */
export function fileArchive(directory: string): (segment: AuditSegment) => Promise<void> {
  checkPath(directory, 'fileArchive', 'a folder')
  return async (segment) => {
    await mkdir(directory, { recursive: true })
    const path = join(directory, `${segment.name}.ndjson`)
    // Two gateways, even of one process, may archive the same segment at once: each writes a file of its own.
    const unfinished = `${path}.${randomUUID()}.part`
    try {
      await write(unfinished, segment)
      await rename(unfinished, path)
      await syncFolder(directory)
    } catch (error) {
      await rm(unfinished, { force: true })
      throw error
    }
  }
}

async function write(path: string, segment: AuditSegment): Promise<void> {
  const file = await open(path, 'wx', 0o640)
  try {
    // `write` alone may take a part and say nothing, where the disk is nearly full; this goes on until it takes all or fails.
    for await (const piece of segment.text()) await file.appendFile(piece)
    await file.sync()
  } finally {
    await file.close()
  }
}

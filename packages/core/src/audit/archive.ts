import { mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditSegment } from './retention.js'

/**
 * Archives segments as files `<writer>.<first>-<last>.ndjson` in a folder, which is made. A file has its name only when all of
 * it is on the disk. `hoosh audit verify` takes them in the order of their names, before what is exported now.
 */
export function fileArchive(directory: string): (segment: AuditSegment) => Promise<void> {
  return async (segment) => {
    await mkdir(directory, { recursive: true })
    const path = join(directory, `${segment.name}.ndjson`)
    // Two processes may archive the same segment at once.
    const unfinished = `${path}.${process.pid}.part`
    const file = await open(unfinished, 'w', 0o640)
    try {
      for await (const piece of segment.text()) await file.write(piece)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(unfinished, path)
  }
}

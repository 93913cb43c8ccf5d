import { closeSync, openSync, readSync } from 'node:fs'

const CHUNK_BYTES = 1024 * 1024

/** Lines of a file with their newlines, as bytes, so that a log of any size needs the memory of its longest line. */
export function* linesOfFile(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r')
  try {
    let rest: Buffer = Buffer.alloc(0)
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
      const size = readSync(file, chunk, 0, CHUNK_BYTES, null)
      if (size === 0) break
      const bytes = rest.length === 0 ? chunk.subarray(0, size) : Buffer.concat([rest, chunk.subarray(0, size)])
      let from = 0
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
        yield bytes.subarray(from, end + 1)
        from = end + 1
      }
      rest = bytes.subarray(from)
    }
    if (rest.length > 0) yield rest
  } finally {
    closeSync(file)
  }
}

/** Where a line of several files, read one after the other, stands. */
export interface Places {
  lines(): Generator<Uint8Array>
  /** `audit-2.ndjson:17` */
  of(line: number): string
}

export function placesIn(paths: readonly string[]): Places {
  const ends: { path: string; start: number }[] = []
  return {
    *lines() {
      let line = 0
      for (const path of paths) {
        ends.push({ path, start: line })
        for (const text of linesOfFile(path)) {
          line += 1
          yield text
        }
      }
    },
    of(line) {
      const { path, start } = ends.findLast((file) => file.start < line) ?? { path: '', start: 0 }
      return `${path}:${line - start}`
    },
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** A folder of this test file: writes the given files, over those of before, and names them. */
export function scratchFiles() {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-verify-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  let written = 0
  return {
    write: (files: readonly Buffer[]): string[] =>
      files.map((bytes) => {
        const path = join(folder, String(written++ % 16))
        writeFileSync(path, bytes)
        return path
      }),
  }
}

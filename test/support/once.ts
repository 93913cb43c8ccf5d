import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of this run, in which each work done once leaves how it ended. */
    doneOnce: string
  }
}

/** Vitest's global setup. */
export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-once-'))
  project.provide('doneOnce', folder)
  return () => rmSync(folder, { recursive: true })
}

/** Does in one of the processes that test files run in what all of them need, while the others wait for it. */
export async function once(name: string, work: () => Promise<void>): Promise<void> {
  const place = join(inject('doneOnce'), name)
  if (isFirst(place)) {
    const end = await work().then(
      () => '',
      (error) => String(error.stdout ?? '') + String(error),
    )
    writeFileSync(`${place}.end`, end)
  }
  while (!existsSync(`${place}.end`)) await new Promise((resolve) => setTimeout(resolve, 100))
  const failed = readFileSync(`${place}.end`, 'utf8')
  if (failed !== '') throw new TypeError(failed)
}

function isFirst(place: string): boolean {
  try {
    mkdirSync(place)
    return true
  } catch {
    return false
  }
}

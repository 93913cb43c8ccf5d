import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder in which each mount leaves what came out. */
    mountTable: string
  }
}

export type Outcome = 'passed' | 'failed' | { readonly reason: string }

interface Column {
  readonly mount: string
  readonly outcomes: Readonly<Record<string, Outcome>>
}

/** Keeps what came out on one mount, which is tested in a process of its own. */
export function note(folder: string, mount: string, outcomes: Column['outcomes']): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${mount.replace(/\W+/g, '-')}.json`), JSON.stringify({ mount, outcomes }))
}

/** Vitest's global setup: the table of mounts and cases is printed when all files have run. */
export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-mounts-'))
  project.provide('mountTable', folder)
  return () => {
    const columns = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Column)
    rmSync(folder, { recursive: true })
    if (columns.length > 0) console.log(table(columns))
  }
}

function table(columns: readonly Column[]): string {
  const cases = [...new Set(columns.flatMap(({ outcomes }) => Object.keys(outcomes)))]
  const reasons: string[] = []
  const cell = (outcome: Outcome | undefined): string => {
    if (outcome === undefined) return ''
    if (typeof outcome === 'string') return outcome === 'passed' ? 'ok' : 'FAILED'
    if (!reasons.includes(outcome.reason)) reasons.push(outcome.reason)
    return `(${reasons.indexOf(outcome.reason) + 1})`
  }
  const width = Math.max(...cases.map((name) => name.length))
  const row = (first: string, cells: readonly string[]) =>
    `${first.padEnd(width)}${cells.map((text, index) => `  ${text.padEnd(columns[index]!.mount.length)}`).join('')}`
  const rows = cases.map((name) =>
    row(
      name,
      columns.map(({ outcomes }) => cell(outcomes[name])),
    ),
  )
  const notes = reasons.map((reason, index) => `(${index + 1}) ${reason}`)
  return [
    '',
    row(
      'Mounts',
      columns.map(({ mount }) => mount),
    ),
    ...rows,
    ...notes,
    '',
  ].join('\n')
}

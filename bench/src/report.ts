import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Finding } from './compare.js'
import type { Samples, Size } from './measure.js'
import { BASELINE, FIGURES, type FigureName, type Limit, type Peer } from './peers.js'

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url))

/** The table, a block for each figure. */
export function table(findings: readonly Finding[], peers: readonly Peer[]): string {
  const figures = [...new Set(findings.map(({ figure }) => figure))]
  return figures.map((figure) => block(figure, findings, peers)).join('\n')
}

/** Writes `results/<name>-<time>.json`; returns its path. */
export function save(name: string, result: object): string {
  mkdirSync(RESULTS, { recursive: true })
  const at = new Date().toISOString()
  const file = join(RESULTS, `${name}-${at.replaceAll(/[:.]/g, '-')}.json`)
  writeFileSync(
    file,
    `${JSON.stringify({ at, node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, ...result }, null, 2)}\n`,
  )
  return file
}

export function record(size: Size, findings: readonly Finding[], samples: ReadonlyMap<string, Samples>): string {
  return save('bench', { size, findings, samples: Object.fromEntries(samples) })
}

function block(figure: FigureName, findings: readonly Finding[], peers: readonly Peer[]): string {
  const { title, unit, compare } = FIGURES[figure]
  const rows = peers.map((peer) => {
    const found = findings.find((finding) => finding.figure === figure && finding.peer === peer.name)!
    return row(peer.title, found, peers)
  })
  return `${title.padEnd(46)}${unit.padStart(9)}${(compare === 'ratio' ? 'ratio' : 'added').padStart(10)}\n${rows.join('\n')}\n`
}

function row(
  title: string,
  { figure, value, compared, against, limit, verdict }: Finding,
  peers: readonly Peer[],
): string {
  const { compare } = FIGURES[figure]
  const sign = compared !== undefined && compare === 'added' && compared >= 0 ? '+' : ''
  const relation = compared === undefined ? '' : `${sign}${compared.toFixed(2)}${compare === 'ratio' ? 'x' : ''}`
  const other =
    against === undefined || against === BASELINE ? '' : `  of ${peers.find(({ name }) => name === against)?.title}`
  const judged = limit === undefined ? '' : `  ${limitText(limit)}: ${verdict === 'over' ? 'OVER' : `${verdict} met`}`
  return `  ${title.padEnd(44)}${value.toFixed(value < 10 ? 2 : 1).padStart(9)}${relation.padStart(10)}${other}${judged}`.trimEnd()
}

function limitText({ gate, goal }: Limit): string {
  const parts = [gate !== undefined && `gate ${gate}`, goal !== undefined && `goal ${goal}`]
  return parts.filter(Boolean).join(', ')
}

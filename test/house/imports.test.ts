import { describe, expect, it } from 'vitest'
import { packageSources, runtimeImports } from './sources.js'

/** From the top down: what stands on a lower floor never loads what stands on a higher one. */
const FLOORS = [
  ['fetch', 'index', 'node'],
  ['mount'],
  ['gateway'],
  ['clockwork', 'credentials', 'host-context', 'start', 'startup-line'],
  ['storage'],
  ['http'],
  ['routes'],
  ['inference'],
  ['routing'],
  ['providers'],
  ['budget'],
  ['cost'],
  ['audit'],
  ['cache'],
  ['context'],
  ['dlp'],
  ['tools'],
  ['identity'],
  ['observability'],
  ['config'],
  [
    'address',
    'amount',
    'bytes',
    'cancel',
    'error-body',
    'errors',
    'exchange',
    'glob',
    'host',
    'options',
    'random',
    'secret',
    'time',
    'version',
  ],
]

/** Entered from outside only: they may load any room, and no room loads them. */
const OUTSIDE = ['conformance', 'testing']

const SRC = 'packages/core/src/'
const roomOf = (path: string) => path.slice(SRC.length).replace(/\.ts$/, '').split('/')[0]!
const floorOf = (room: string) => FLOORS.findIndex((floor) => floor.includes(room))

const core = packageSources('core')
const imports = core.flatMap((source) => runtimeImports(source).map((to) => ({ from: source.path, to })))

describe('imports inside core', () => {
  it('every room and ground file has a floor', () => {
    const rooms = [...new Set(core.map((source) => roomOf(source.path)))]
    expect(rooms.filter((room) => floorOf(room) < 0 && !OUTSIDE.includes(room))).toEqual([])
  })

  it('no file loads one of a higher floor', () => {
    const upward = imports.filter(({ from, to }) => {
      if (OUTSIDE.includes(roomOf(from))) return false
      return OUTSIDE.includes(roomOf(to)) || floorOf(roomOf(to)) < floorOf(roomOf(from))
    })
    expect(upward.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
  })

  it('only an entry point and what mounts begin with load gateway.ts', () => {
    const loaders = imports.filter(({ to }) => to === `${SRC}gateway.ts`).map(({ from }) => from)
    expect(loaders.filter((from) => ![`${SRC}index.ts`, `${SRC}mount.ts`].includes(from))).toEqual([])
  })
})

describe.each(['core', 'express', 'koa', 'next', 'sql', 'redis', 'cli'])('package %s', (name) => {
  it('has no import cycle at run time', () => {
    const graph = new Map(packageSources(name).map((source) => [source.path, runtimeImports(source)]))
    expect(cyclesOf(graph)).toEqual([])
  })
})

/** One path per file that a walk in depth comes back to. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (path.includes(file) || done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return cycles
}

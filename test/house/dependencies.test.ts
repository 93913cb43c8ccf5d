import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from './sources.js'

interface Locked {
  readonly version?: string
  readonly license?: string
  readonly hasInstallScript?: boolean
  readonly link?: boolean
  readonly resolved?: string
  readonly dependencies?: Record<string, string>
}

const PERMISSIVE = /^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|BlueOak-1\.0\.0|0BSD)$/

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>
}

/** Everything that is installed with a package of ours, by its place in the lock file. */
function installedWith(path: string, seen = new Map<string, Locked>()): Map<string, Locked> {
  for (const name of Object.keys(packages[path]?.dependencies ?? {})) {
    const place = placeOf(name, path)
    if (seen.has(place)) continue
    const locked = packages[place]!
    seen.set(place, locked)
    installedWith(locked.link === true ? locked.resolved! : place, seen)
  }
  return seen
}

/** The nearest `node_modules` upward, as Node looks for it. */
function placeOf(name: string, from: string): string {
  for (let path = from; path !== ''; path = path.split('/').slice(0, -1).join('/')) {
    if (packages[`${path}/node_modules/${name}`] !== undefined) return `${path}/node_modules/${name}`
  }
  return `node_modules/${name}`
}

describe.each(['core', 'express', 'koa', 'next', 'sql', 'redis', 'cli'])('dependencies of %s', (name) => {
  const installed = [...installedWith(`packages/${name}`)]

  it('runs no script when it is installed', () => {
    expect(installed.filter(([, locked]) => locked.hasInstallScript === true).map(([place]) => place)).toEqual([])
  })

  it('has permissive licences only', () => {
    const foreign = installed.filter(([, locked]) => locked.link !== true && !PERMISSIVE.test(locked.license ?? ''))
    expect(foreign.map(([place, locked]) => `${place}: ${locked.license}`)).toEqual([])
  })

  it('has a row in docs/dependencies.md for each of its own', () => {
    const text = readFileSync(join(root, 'docs/dependencies.md'), 'utf8')
    const own = Object.keys(packages[`packages/${name}`]?.dependencies ?? {})
    expect(own.filter((dependency) => !text.includes(`| ${dependency} |`))).toEqual([])
  })
})

describe('dependencies of core', () => {
  it('are fewer than ten of its own', () => {
    expect(Object.keys(packages['packages/core']?.dependencies ?? {}).length).toBeLessThan(10)
  })
})

describe.each(['core', 'express', 'koa', 'next', 'sql', 'redis', 'cli'])('package %s', (name) => {
  it('carries the licence of the repository', () => {
    const text = readFileSync(join(root, `packages/${name}/LICENSE`), 'utf8')
    expect(text).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'))
  })
})

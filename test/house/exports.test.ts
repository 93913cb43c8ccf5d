import { describe, expect, it } from 'vitest'
import { entryPoints, exportsOf, isDocumented } from './exports.js'

const entries = ['core', 'express', 'koa', 'next', 'sql', 'redis'].flatMap(entryPoints)

describe.each(entries)('$specifier', ({ path }) => {
  const exported = exportsOf(path)

  it('exports these names: a change here is a change of the public surface', () => {
    expect([...new Set(exported.map(({ name }) => name))].sort()).toMatchSnapshot()
  })

  it('documents every name it exports, overloads once', () => {
    const documented = new Set(exported.filter(isDocumented).map(({ name }) => name))
    const missing = exported.filter(({ name }) => !documented.has(name))
    expect(missing.map(({ name, source }) => `${source.path}: ${name}`)).toEqual([])
  })
})

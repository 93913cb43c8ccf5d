import { describe, expect, it } from 'vitest'
import { entryPoints, exportsOf, isDocumented } from './exports.js'

const entries = ['core', 'express', 'sql'].flatMap(entryPoints)

describe.each(entries)('$specifier', ({ path }) => {
  const exported = exportsOf(path)

  it('exports these names: a change here is a change of the public surface', () => {
    expect(exported.map(({ name }) => name).sort()).toMatchSnapshot()
  })

  it('documents every name it exports', () => {
    expect(exported.filter((one) => !isDocumented(one)).map((one) => `${one.source.path}: ${one.name}`)).toEqual([])
  })
})

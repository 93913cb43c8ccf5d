import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { documents, readDocument } from './documents.js'
import { root } from './sources.js'

describe.each(documents)('%s', (document) => {
  it('links only to files and headings that exist', () => {
    const prose = readDocument(document).replace(/^```[\s\S]*?^```$/gm, '')
    const links = [...prose.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map((match) => match[1]!)
    expect(links.filter((link) => !resolves(document, link))).toEqual([])
  })
})

function resolves(document: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const target = path === '' ? document : normalize(join(dirname(document), path))
  if (!existsSync(join(root, target))) return false
  if (heading === undefined) return true
  return statSync(join(root, target)).isFile() && headingsOf(target).includes(heading)
}

/** Headings as GitHub turns them into anchors. */
function headingsOf(document: string): string[] {
  return [...readDocument(document).matchAll(/^#+ (.+)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  )
}

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../../shared/fixtures/', import.meta.url))

/** Recorded traffic lies beside the repository on some machines only. */
export const hasFixtures = existsSync(folder)

/** One recorded exchange with a provider. */
export interface Recorded {
  name: string
  provider: string
  dialect: string
  path: string
  request: Record<string, unknown>
  status: number
  contentType: string
  headers: Record<string, string>
  body: string
}

export function recorded(dialect: string): Recorded[] {
  if (!hasFixtures) return []
  return readdirSync(`${folder}recorded`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: provider }) =>
      readdirSync(`${folder}recorded/${provider}`).map((file) => {
        const exchange = JSON.parse(readFileSync(`${folder}recorded/${provider}/${file}`, 'utf8')) as Recorded
        return { ...exchange, name: `${provider}/${file}` }
      }),
    )
    .filter((exchange) => exchange.dialect === dialect)
}

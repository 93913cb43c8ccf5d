import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HooshError } from '@hoosh/core/storage'

/**
 * A package as the app in this folder has it: drivers are its own, and tables are brought to the version that it runs with.
 *
 * @returns null where it is not installed
 */
export async function installed<Module>(name: string): Promise<Module | null> {
  let path: string
  try {
    path = createRequire(join(process.cwd(), 'package.json')).resolve(name)
  } catch {
    return null
  }
  return (await import(pathToFileURL(path).href)) as Module
}

/** The same, for what has to be there. @throws HooshError `store_unavailable` that says what installs it */
export async function needed<Module>(name: string): Promise<Module> {
  const found = await installed<Module>(name)
  if (found !== null) return found
  throw missing(name, `npm install ${name}`)
}

export function missing(what: string, command: string): HooshError {
  const message = `${what} is not installed in ${process.cwd()}. In the folder of your app: ${command}`
  return new HooshError('store_unavailable', { message })
}

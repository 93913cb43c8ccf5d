// What comes with the packages: no install scripts, permissive licences, no advisory of high severity. Reads the lock
// file; only the advisories are asked of the registry, and where it cannot tell that is said. Run by `npm run check:dependencies`.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const PERMISSIVE = /^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|BlueOak-1\.0\.0|0BSD)$/

/** @typedef {{ version?: string, license?: string, hasInstallScript?: boolean, link?: boolean, resolved?: string, integrity?: string, dependencies?: Record<string, string> }} Locked */
/** @type {{ packages: Record<string, Locked> }} */
const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8'))

const faults = readdirSync(`${root}packages`).flatMap((name) => {
  const installed = [...installedWith(`packages/${name}`)].filter(([, locked]) => locked.link !== true)
  console.log(`packages/${name}: ${installed.length} packages installed with it`)
  return installed.flatMap(([place, locked]) => faultsOf(place, locked).map((fault) => `packages/${name}: ${fault}`))
})
faults.push(...advisories())
for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1

/**
 * @param {string} place
 * @param {Locked} locked
 */
function faultsOf(place, { license = 'none', hasInstallScript, integrity }) {
  const name = place.split('node_modules/').at(-1)
  return [
    ...(hasInstallScript === true ? [`${name} runs a script when it is installed`] : []),
    ...(PERMISSIVE.test(license) ? [] : [`${name} has the licence ${license}`]),
    ...(integrity === undefined ? [`${name} is locked without a digest`] : []),
  ]
}

/**
 * Everything that is installed with a package, by its place in the lock file.
 * @param {string} path
 * @param {Map<string, Locked>} seen
 */
function installedWith(path, seen = new Map()) {
  for (const name of Object.keys(packages[path]?.dependencies ?? {})) {
    const place = placeOf(name, path)
    const locked = packages[place]
    if (seen.has(place) || locked === undefined) continue
    seen.set(place, locked)
    installedWith(locked.link === true && locked.resolved !== undefined ? locked.resolved : place, seen)
  }
  return seen
}

/**
 * The nearest `node_modules` upward, as Node looks for it.
 * @param {string} name
 * @param {string} from
 */
function placeOf(name, from) {
  for (let path = from; path !== ''; path = path.split('/').slice(0, -1).join('/')) {
    if (packages[`${path}/node_modules/${name}`] !== undefined) return `${path}/node_modules/${name}`
  }
  return `node_modules/${name}`
}

/** Advisories of high and critical severity against what is installed in production; none where nobody can tell. */
function advisories() {
  const workspaces = readdirSync(`${root}packages`).flatMap((name) => ['--workspace', `packages/${name}`])
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json', ...workspaces], { cwd: root, encoding: 'utf8' })
  /** @type {{ message?: string, vulnerabilities?: Record<string, { name: string, severity: string, via: unknown[] }> }} */
  const said = parsed(stdout)
  if (said.vulnerabilities === undefined) {
    console.log(`advisories: SKIPPED, the registry cannot tell (${said.message ?? 'no answer'})`)
    return []
  }
  const all = Object.values(said.vulnerabilities)
  console.log(`advisories: ${all.length} in production, of any severity`)
  return all
    .filter(({ severity }) => severity === 'high' || severity === 'critical')
    .map(({ name, severity, via }) => `${name}: ${severity}, ${JSON.stringify(via).slice(0, 300)}`)
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

// What users get: packs every package, checks the tarballs, installs them into an empty project and imports each
// entry point there; then takes the first steps of docs/budgets.md with them. Needs a build. Run by `npm run check:packages`.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { firstSteps } from './first-steps.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const names = ['core', 'express', 'koa', 'next', 'sql', 'redis', 'cli']
const folder = mkdtempSync(join(tmpdir(), 'hoosh-packages-'))

/** What may be in a tarball: the build, its sources (for source maps), SQL for teams with a tool of their own, and what a reader expects. */
const expected =
  /^(dist|src)\/.+\.(js|ts|map)$|^bin\/hoosh\.js$|^migrations\/\w+\/\d{4}\.sql$|^(package\.json|README\.md|LICENSE)$/

try {
  const tarballs = names.map(pack)
  for (const [index, tarball] of tarballs.entries()) {
    run(process.execPath, ['node_modules/publint/src/cli.js', 'run', tarball, '--strict'], root)
    if (!isLibrary(names[index])) continue
    run(process.execPath, ['node_modules/@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only'], root)
  }
  const project = mkdtempSync(join(folder, 'project-'))
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs, 'express@5', 'koa@3', 'next@16'],
    project,
  )
  const entries = names.filter(isLibrary).flatMap(entryPoints)
  const script = entries.map((entry) => `await import('${entry}')`).join('\n')
  run(process.execPath, ['--input-type=module', '--eval', script], project)
  run('npx', ['--no-install', 'hoosh', '--help'], project)
  console.log(`${names.length} packages: ${entries.length} entry points import on Node ${process.version}`)
  await firstSteps(folder, new Map(names.map((name, index) => [packageOf(name), tarballs[index] ?? ''])))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** @param {string} name */
function pack(name) {
  const args = ['pack', '--json', '--pack-destination', folder, '--workspace', packageOf(name)]
  const answer = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' }))
  // npm 12 answers with an object by package name, older ones with a list.
  const [packed] = Object.values(answer)
  const files = packed.files.map((/** @type {{ path: string }} */ file) => file.path)
  const wrong = files.filter((/** @type {string} */ path) => !expected.test(path))
  const needed = isLibrary(name) ? ['dist/index.js', 'dist/index.d.ts'] : ['bin/hoosh.js', 'dist/main.js']
  const missing = ['README.md', 'LICENSE', ...needed].filter((path) => !files.includes(path))
  if (wrong.length > 0 || missing.length > 0) {
    throw new Error(`${packageOf(name)}: unexpected [${wrong.join(', ')}], missing [${missing.join(', ')}]`)
  }
  return join(folder, packed.filename)
}

/** The command line is run, not imported. @param {string | undefined} name */
function isLibrary(name) {
  return name !== 'cli'
}

/** @param {string} name */
function packageOf(name) {
  return isLibrary(name) ? `@hoosh/${name}` : 'hoosh'
}

/** @param {string} name */
function entryPoints(name) {
  const { exports } = JSON.parse(readFileSync(join(root, `packages/${name}/package.json`), 'utf8'))
  return Object.keys(exports).map((key) => `@hoosh/${name}${key.slice(1)}`)
}

/** @param {string} command @param {string[]} args @param {string} cwd */
function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: 'inherit' })
}

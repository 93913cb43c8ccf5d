// Adds up vitest's JSON reports: `node scripts/test-summary.js report.json ...` prints "passed failed skipped", and on stderr the names
// of the tests that failed. Beside a report may lie `report.json.again`, of the same files run by themselves: what failed among
// all others and passed there is counted as passed, and named. A report that was never written, or a file that could not
// be loaded, is a failure.
// `node scripts/test-summary.js --files report.json` prints the files with a failure in them.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const paths = process.argv.slice(2)
if (paths[0] === '--files') {
  const report = read(paths[1] ?? '')
  const failed = (report?.testResults ?? []).filter(({ status }) => status === 'failed')
  console.log(failed.map(({ name }) => name).join('\n'))
} else {
  console.log(sum(paths).join(' '))
}

/** @param {string[]} reports */
function sum(reports) {
  let [passed, failed, skipped] = [0, 0, 0]
  for (const path of reports) {
    const report = read(path)
    if (report === null) {
      console.error(`failed: there is no report ${path}`)
      failed += 1
      continue
    }
    const first = outcomes(report, 'failed')
    const mended = new Set(outcomes(read(`${path}.again`), 'passed'))
    const lasting = first.filter((name) => !mended.has(name))
    for (const name of first) {
      console.error(mended.has(name) ? `failed among all others, passed by itself: ${name}` : `failed: ${name}`)
    }
    passed += report.numPassedTests + first.length - lasting.length
    failed += lasting.length
    skipped += report.numPendingTests + report.numTodoTests
  }
  return [passed, failed, skipped]
}

/**
 * Tests that ended so, by file and name, and the files as a whole: one that fails without a failing test was never loaded.
 *
 * @param {any} report
 * @param {'passed' | 'failed'} outcome
 * @returns {string[]}
 */
function outcomes(report, outcome) {
  return (report?.testResults ?? []).flatMap(({ name, status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === outcome)
    const isWhole = status === outcome && (outcome === 'passed' || tests.length === 0)
    const file = relative('', name)
    return [...(isWhole ? [file] : []), ...tests.map(({ fullName }) => `${file}: ${fullName}`)]
  })
}

/** @param {string} path */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

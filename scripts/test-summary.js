// Adds up vitest's JSON reports: `node scripts/test-summary.js report.json ...` prints "passed failed skipped".
// A report that was never written, or a file that could not be loaded, is a failure.
import { readFileSync } from 'node:fs'

let passed = 0
let failed = 0
let skipped = 0
for (const path of process.argv.slice(2)) {
  const report = read(path)
  if (report === null) {
    failed += 1
    continue
  }
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  passed += report.numPassedTests
  failed += report.numFailedTests + unloaded.length
  skipped += report.numPendingTests + report.numTodoTests
}
console.log(`${passed} ${failed} ${skipped}`)

/** @param {string} path */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

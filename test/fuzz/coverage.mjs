import { Session } from 'node:inspector'

/**
 * What code of ours has run since the last look, as V8 counts it: a fuzzer's sense of whether an input led somewhere new.
 * (jazzer.js 4 needs a newer C library than Debian 12 has, and version 2 fetches its binary while it is installed.)
 */
export function coverageOf(folder) {
  const session = new Session()
  session.connect()
  const post = (method, params) => {
    let result
    session.post(method, params, (error, answer) => {
      if (error) throw error
      result = answer
    })
    return result // a session of this thread answers at once
  }
  post('Profiler.enable')
  post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  /** Blocks that have run at all, and how often at most, in powers of two. */
  const seen = new Map()
  return {
    get blocks() {
      return seen.size
    },
    /** Whether a block has run for the first time, or more often than before by a power of two. */
    isNew() {
      let found = false
      for (const { url, functions } of post('Profiler.takePreciseCoverage').result) {
        if (!url.includes(folder)) continue
        for (const { functionName, ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            if (count === 0) continue
            const block = `${url}:${functionName}:${startOffset}:${endOffset}`
            const level = Math.floor(Math.log2(count))
            if ((seen.get(block) ?? -1) >= level) continue
            seen.set(block, level)
            found = true
          }
        }
      }
      return found
    },
  }
}

import type { Strategy } from '../options.js'
import type { Candidate } from './route.js'

/** Whose turn it is among one set of candidates. */
export interface Turn {
  next: number
}

/** Candidates, given by priority and then by how exactly they name the model, in the order a strategy tries them. */
export function ordered(candidates: readonly Candidate[], strategy: Strategy, turn: Turn): readonly Candidate[] {
  if (candidates.length < 2) return candidates
  if (strategy === 'round-robin') return rotated(candidates, turn)
  if (strategy === 'lowest-latency') return byLatency(candidates)
  return candidates
}

function rotated(candidates: readonly Candidate[], turn: Turn): readonly Candidate[] {
  const start = turn.next % candidates.length
  turn.next = start + 1
  return start === 0 ? candidates : [...candidates.slice(start), ...candidates.slice(0, start)]
}

/** Untried routes first, so that each gets a sample; then the fastest; equal ones as they came. */
function byLatency(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...candidates].sort((a, b) => (a.route.latency.ms ?? -1) - (b.route.latency.ms ?? -1))
}

/** Failures in a row that open a circuit. */
const OPENS_AFTER = 3
/** How long it stays open before one trial, ms. */
const COOL_DOWN_MS = 30_000
/** The same where nothing else is left to ask, ms: a model that is gone everywhere is back within 5 s of its provider. */
const LAST_RESORT_MS = 4_000

/** What calls and probes say about a route. Closed: all may pass; open: none; then one trial decides. */
export interface Circuit {
  failures: number
  /** When the last of them was. */
  failedAt: number
  /** 0 while closed. */
  openUntil: number
  /** A trial is under way since this moment; 0 for none. */
  trialSince: number
  /** Answers in a row that another route may better and that are nobody's fault: 409, 425, 429. */
  refusals: number
}

export function newCircuit(): Circuit {
  return { failures: 0, failedAt: 0, openUntil: 0, trialSince: 0, refusals: 0 }
}

/** Whether a call may be tried now. */
export function isPassable(circuit: Circuit, now: number): boolean {
  if (circuit.openUntil === 0) return true
  if (now < circuit.openUntil) return false
  return circuit.trialSince === 0 || now - circuit.trialSince > COOL_DOWN_MS
}

/** When an open circuit may have its trial although it has not cooled down, because nothing else is left. */
export function lastResortAt(circuit: Circuit): number {
  const { openUntil, failedAt, trialSince } = circuit
  return trialSince === 0 ? Math.min(openUntil, failedAt + LAST_RESORT_MS) : trialSince + LAST_RESORT_MS
}

/** Cuts the cool-down short, if it has lasted long enough for a last resort. Returns whether a trial may begin. */
export function shortenCoolDown(circuit: Circuit, now: number): boolean {
  if (now < lastResortAt(circuit)) return false
  circuit.openUntil = Math.min(circuit.openUntil, now)
  circuit.trialSince = 0
  return true
}

/** Something else than a call has found the route in order: an open circuit has cooled down. */
export function beReadyForTrial(circuit: Circuit, now: number): void {
  circuit.openUntil = Math.min(circuit.openUntil, now)
}

/** Says that a call is being tried: on a circuit that has cooled down it is the trial. */
export function beginTrial(circuit: Circuit, now: number): void {
  if (circuit.openUntil !== 0) circuit.trialSince = now
}

/** Returns true where this closed an open circuit. */
export function recordSuccess(circuit: Circuit): boolean {
  const wasOpen = circuit.openUntil !== 0
  circuit.failures = 0
  circuit.openUntil = 0
  circuit.trialSince = 0
  circuit.refusals = 0
  return wasOpen
}

/** Returns true where this opened the circuit. */
export function recordFailure(circuit: Circuit, now: number): boolean {
  circuit.failures += 1
  circuit.failedAt = now
  const wasOpen = circuit.openUntil !== 0
  if (circuit.failures < OPENS_AFTER) return false
  circuit.openUntil = now + COOL_DOWN_MS
  circuit.trialSince = 0
  return !wasOpen
}

/**
 * An outcome that says nothing about the route's health: a trial it was is given back.
 *
 * @param refused the route would not take the call now, though others may
 */
export function recordNeither(circuit: Circuit, refused: boolean): void {
  circuit.trialSince = 0
  if (refused) circuit.refusals += 1
}

/** Whether a route has refused so often in a row that going there after a failure is no failover but a storm. */
export function keepsRefusing(circuit: Circuit): boolean {
  return circuit.refusals >= OPENS_AFTER
}

/** Failures in a row that open a circuit. */
const OPENS_AFTER = 3
/** How long it stays open before one trial, ms. */
const COOL_DOWN_MS = 30_000

/** What real calls say about a route. Closed: all may pass; open: none; then one trial decides. */
export interface Circuit {
  failures: number
  /** 0 while closed. */
  openUntil: number
  /** A trial is under way since this moment; 0 for none. */
  trialSince: number
}

export function newCircuit(): Circuit {
  return { failures: 0, openUntil: 0, trialSince: 0 }
}

/** Whether a call may be tried now. */
export function isPassable(circuit: Circuit, now: number): boolean {
  if (circuit.openUntil === 0) return true
  if (now < circuit.openUntil) return false
  return circuit.trialSince === 0 || now - circuit.trialSince > COOL_DOWN_MS
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
  return wasOpen
}

/** Returns true where this opened the circuit. */
export function recordFailure(circuit: Circuit, now: number): boolean {
  circuit.failures += 1
  const wasOpen = circuit.openUntil !== 0
  if (circuit.failures < OPENS_AFTER) return false
  circuit.openUntil = now + COOL_DOWN_MS
  circuit.trialSince = 0
  return !wasOpen
}

/** An outcome that says nothing about the route: a trial it was is given back. */
export function recordNeither(circuit: Circuit): void {
  circuit.trialSince = 0
}

import type { Samples } from './measure.js'
import { BASELINE, FIGURES, type FigureName, type Limit, type Peer } from './peers.js'

/** One figure of one server. */
export interface Finding {
  readonly figure: FigureName
  readonly peer: string
  /** Median over the rounds, in the figure's unit. */
  readonly value: number
  /** Peer it is compared with; absent for the baseline itself. */
  readonly against?: string
  /** The ratio to that peer, or what is added to it in the figure's unit: median of the rounds. */
  readonly compared?: number
  readonly limit?: Limit
  readonly verdict?: Verdict
}

export type Verdict = 'goal' | 'gate' | 'over'

/** What the run says, figure by figure, in the order of the peers. */
export function compare(peers: readonly Peer[], samples: ReadonlyMap<string, Samples>): Finding[] {
  const names = Object.keys(FIGURES) as FigureName[]
  return names.flatMap((figure) => peers.map((peer) => finding(figure, peer, samples)))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

function finding(figure: FigureName, peer: Peer, samples: ReadonlyMap<string, Samples>): Finding {
  const own = series(samples.get(peer.name)!, figure)
  const found = { figure, peer: peer.name, value: median(own) }
  if (peer.name === BASELINE) return found
  const against = peer.against ?? BASELINE
  const theirs = series(samples.get(against)!, figure)
  const { compare } = FIGURES[figure]
  const compared = median(
    own.map((value, round) => (compare === 'ratio' ? value / theirs[round]! : value - theirs[round]!)),
  )
  const limit = peer.limits?.[figure]
  return { ...found, against, compared, ...(limit && { limit, verdict: verdict(compared, limit) }) }
}

/** A value a round; of the first bytes one value in all, since a percentile needs every sample there is. */
function series(samples: Samples, figure: FigureName): readonly number[] {
  if (figure === 'firstByteP50') return [quantile(samples.firstBytes, 0.5)]
  if (figure === 'firstByteP99') return [quantile(samples.firstBytes, 0.99)]
  return samples[figure]
}

function verdict(compared: number, { gate, goal }: Limit): Verdict {
  if (goal !== undefined && compared <= goal) return 'goal'
  return gate !== undefined && compared <= gate ? 'gate' : 'over'
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at % 1)
}

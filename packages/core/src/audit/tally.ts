import type { Clock } from '../time.js'

const MINUTE_MS = 60_000
/** Keys told apart in a minute; what comes beyond is counted together, under ''. */
const MAX_KEYS = 1_000

/** Records the first few events of a key in a minute one each, and one for the rest, so that a flood fills no log. */
export interface Tally<Sample> {
  note(key: string, sample: Sample): void
  /** Emits what was counted in minutes that are over. */
  sweep(): void
  /** Emits all that was counted. */
  flush(): void
}

interface Minute<Sample> {
  readonly since: number
  emitted: number
  counted: number
  sample: Sample
}

/**
 * @param perMinute most emissions of a key a minute, the one for the rest among them from the second minute on
 * @param emit told the newest sample and how many events it stands for: all counts add up to the events noted
 */
export function createTally<Sample>(options: {
  clock: Clock
  perMinute: number
  emit: (key: string, sample: Sample, count: number) => void
}): Tally<Sample> {
  const { clock, perMinute, emit } = options
  const minutes = new Map<string, Minute<Sample>>()
  const end = (isDue: (minute: Minute<Sample>) => boolean) => {
    for (const [key, minute] of minutes) {
      if (!isDue(minute)) continue
      minutes.delete(key)
      if (minute.counted === 0) continue
      minutes.set(key, { since: clock(), emitted: 1, counted: 0, sample: minute.sample })
      emit(key, minute.sample, minute.counted)
    }
  }
  const isOver = (minute: Minute<Sample>) => clock() - minute.since >= MINUTE_MS
  return {
    note: (wanted, sample) => {
      const key = minutes.has(wanted) || minutes.size < MAX_KEYS ? wanted : ''
      let minute = minutes.get(key)
      if (minute === undefined || isOver(minute)) {
        minute = { since: clock(), emitted: 0, counted: minute?.counted ?? 0, sample }
        minutes.set(key, minute)
      }
      minute.counted += 1
      minute.sample = sample
      if (minute.emitted >= perMinute) return
      const { counted } = minute
      minute.emitted += 1
      minute.counted = 0
      emit(key, sample, counted)
    },
    sweep: () => end(isOver),
    flush: () => end(() => true),
  }
}

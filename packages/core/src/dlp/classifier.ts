import { HooshError } from '../errors.js'
import type { CallInfo, DlpContent, DlpOptions, DlpVerdict } from '../options.js'
import { LEVELS } from './levels.js'

/** How long a host's classifier may take, ms. */
const PATIENCE_MS = 10_000

/**
 * Asks the host's classifier.
 *
 * @throws HooshError `classifier_failed` where it throws, takes longer than 10 s, or says what cannot be understood:
 *   content that could not be judged goes nowhere
 */
export async function askClassifier(
  classify: NonNullable<DlpOptions['classify']>,
  texts: readonly string[],
  call: CallInfo,
): Promise<DlpVerdict> {
  const content: DlpContent = { texts, call }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HooshError('classifier_failed')), PATIENCE_MS)
  })
  try {
    return verdictOf(await Promise.race([classify(content), late]))
  } catch (thrown) {
    throw thrown instanceof HooshError ? thrown : new HooshError('classifier_failed', { cause: thrown })
  } finally {
    clearTimeout(timer)
  }
}

function verdictOf(said: Awaited<ReturnType<NonNullable<DlpOptions['classify']>>>): DlpVerdict {
  if (said === null || said === undefined) return {}
  const verdict = typeof said === 'string' ? { level: said } : said
  const isLevel = verdict.level === undefined || LEVELS.includes(verdict.level)
  const isList = verdict.findings === undefined || Array.isArray(verdict.findings)
  if (typeof verdict !== 'object' || !isLevel || !isList) {
    throw new HooshError('classifier_failed', {
      message: `The classifier has to answer with one of ${LEVELS.join(', ')}, or with { level, findings }.`,
    })
  }
  return verdict
}

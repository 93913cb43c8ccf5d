type Json = Readonly<Record<string, unknown>>

interface Segment {
  /** Bytes of UTF-8. */
  readonly startIndex?: number
  readonly endIndex?: number
  readonly text?: string
}

/**
 * What an answer rests on as OpenAI's `url_citation`s, places in UTF-16 units: pages found by search or read, and sources
 * recited. What has no address (file search) is told beside the choice only.
 *
 * @param text of the whole answer
 */
export function annotationsOf(text: string, candidate: Json): object[] {
  const grounding = (candidate.groundingMetadata ?? {}) as { groundingChunks?: Json[]; groundingSupports?: Json[] }
  const recited = ((candidate.citationMetadata as Json | undefined)?.citationSources ?? []) as (Segment & Json)[]
  const { groundingChunks: chunks = [], groundingSupports: supports = [] } = grounding
  const bytes = Buffer.from(text)
  return [
    ...supports.flatMap(({ segment, groundingChunkIndices: indices }) => {
      const place = placeOf(text, bytes, (segment ?? {}) as Segment)
      return ((indices ?? []) as number[]).flatMap((index) => citation(place, sourceOf(chunks[index])))
    }),
    ...recited.flatMap((source) => citation(placeOf(text, bytes, source), { url: source.uri, title: source.title })),
  ]
}

function sourceOf(chunk: Json | undefined): Json {
  const { uri, title } = (chunk?.web ?? chunk?.retrievedContext ?? chunk?.maps ?? {}) as Json
  return { url: uri, title }
}

function citation(place: { start: number; end: number }, { url, title }: Json): object[] {
  if (typeof url !== 'string') return []
  return [
    { type: 'url_citation', url_citation: { url, title: title ?? '', start_index: place.start, end_index: place.end } },
  ]
}

/** Offsets are those of one part, so where they miss the text it is looked for. */
function placeOf(text: string, bytes: Buffer, { startIndex = 0, endIndex = 0, text: said }: Segment) {
  const start = bytes.toString('utf8', 0, startIndex).length
  const end = bytes.toString('utf8', 0, endIndex).length
  if (said === undefined || text.slice(start, end) === said) return { start, end }
  const found = text.indexOf(said)
  return found < 0 ? { start, end } : { start: found, end: found + said.length }
}

/** The most that one image is billed as: OpenAI's largest; Google's of 4K are 2,000. */
const LARGEST_IMAGE = 6_240

/** A URL that is an image itself. In a text its quotes would be escaped. */
const IMAGE = /"url"\s*:\s*"data:image\/[^"]*"/g

/** Images in an answer, and how many tokens they are at the most. */
export interface GeneratedImages {
  readonly tokens: number
  /** Characters of JSON that they take. */
  readonly length: number
}

const NONE: GeneratedImages = { tokens: 0, length: 0 }

/** @param json an answer, or an event from its delta on */
export function generatedImages(json: string): GeneratedImages {
  if (!json.includes('data:image/')) return NONE
  let length = 0
  let tokens = 0
  for (const [image] of json.matchAll(IMAGE)) {
    length += image.length
    tokens += LARGEST_IMAGE
  }
  return { tokens, length }
}

/** Keys as providers shape them, bearer tokens, JWTs; masked ones too (`sk-ab***yz`), since they still tell much. */
const LOOKS_SECRET =
  /\b(?:sk|pk|rk|xai)-[\w*.-]{3,}|\b(?:gsk|hf|nvapi)[_-][\w*-]{6,}|\bAIza[\w-]{20,}|\bBearer\s+[^\s"',]+|\bBasic\s+[A-Za-z0-9+/=]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*/gi

const URL_CREDENTIALS = /(:\/\/)[^\s/@]*@/g

/** Shorter than this a "secret" is a placeholder such as `none`, and would only tear holes into sentences. */
const SHORTEST_SECRET = 6

/**
 * Removes secrets from a text that others will read: those given (as they are, percent-encoded, and in base64 wherever
 * they stand in it), and whatever looks like a key.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const spellings = secrets.filter((secret) => secret.length >= SHORTEST_SECRET).flatMap(spellingsOf)
  // The longest first, so that a secret within another leaves nothing of it behind.
  const known = [...new Set(spellings)].sort((a, b) => b.length - a.length)
  return (text) => {
    let clean = text
    for (const spelling of known) clean = clean.replaceAll(spelling, '[redacted]')
    return clean.replace(URL_CREDENTIALS, '$1[redacted]@').replace(LOOKS_SECRET, '[redacted]')
  }
}

function spellingsOf(secret: string): string[] {
  const encoded = encodeURIComponent(secret)
  const inBase64 = [0, 1, 2].map((offset) => base64At(secret, offset)).filter((text) => text.length >= 8)
  const urlSafe = inBase64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  return [secret, encoded, encoded.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()), ...inBase64, ...urlSafe]
}

/** The letters of base64 that depend on the secret alone when it begins at byte `offset` of a group of three. */
function base64At(secret: string, offset: number): string {
  const bytes = Buffer.from(secret)
  const lead = (3 - offset) % 3
  const whole = bytes.length - lead - ((bytes.length - lead) % 3)
  return bytes.subarray(lead, lead + whole).toString('base64')
}

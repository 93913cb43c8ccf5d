/** Tokens of a text as the demo provider bills them: one per started four UTF-8 bytes, none for the empty text. */
export function demoTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}

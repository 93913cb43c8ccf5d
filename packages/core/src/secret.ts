/** A text that nothing prints: neither a log nor JSON nor a template nor an inspector; only `reveal` tells it. */
export interface Secret {
  reveal(): string
  toString(): string
  toJSON(): string
}

const HIDDEN = '[secret]'
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

export function secretOf(text: string): Secret {
  const hidden = () => HIDDEN
  return Object.freeze({ reveal: () => text, toString: hidden, toJSON: hidden, [INSPECT]: hidden })
}

/** The text itself, of what may be one that is kept. */
export function revealed(text: string | Secret): string {
  return typeof text === 'string' ? text : text.reveal()
}

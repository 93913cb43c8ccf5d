import type { CancelSignal } from '../cancel.js'
import { HooshError } from '../errors.js'
import type { UpstreamFailure, UpstreamReply } from '../providers/provider.js'

/** Largest plain answer that is taken, bytes. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** Of an answer that breaks off, so much is looked at. */
const MAX_RECEIVED_BYTES = 1024 * 1024

/** All bytes of a plain answer, or why they did not all come. Nothing has reached the caller yet. */
export function receiveWhole(reply: UpstreamReply, signal: CancelSignal): Promise<Buffer | UpstreamFailure> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let bytes = 0
    const end = (result: Buffer | UpstreamFailure) => {
      signal.removeEventListener('abort', aborted)
      resolve(result)
    }
    const broke = (error: HooshError, how = {}) => {
      const received = Buffer.concat(chunks, Math.min(bytes, MAX_RECEIVED_BYTES))
      end(brokenOff(error, { ...how, received }))
    }
    const aborted = () => {
      reply.body.abort()
      broke(new HooshError('client_closed'), { blameless: true, retryable: false })
    }
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted)
    reply.body.start({
      data(chunk) {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes <= MAX_ANSWER_BYTES) return
        reply.body.abort()
        broke(
          new HooshError('provider_error', {
            message: `The provider's answer is longer than ${MAX_ANSWER_BYTES} bytes.`,
          }),
        )
      },
      end() {
        end(chunks.length === 1 ? asBuffer(chunks[0]!) : Buffer.concat(chunks, bytes))
      },
      fail: broke,
    })
  })
}

/** An answer that had begun: the provider may bill for it. */
export function brokenOff(
  error: HooshError,
  how: Partial<Pick<UpstreamFailure, 'blameless' | 'retryable' | 'received'>> = {},
): UpstreamFailure {
  return { ok: false, error, retryable: true, mayBill: true, blameless: false, ...how }
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

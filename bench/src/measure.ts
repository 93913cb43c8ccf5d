import { type Server, start } from './child.js'
import { type Client, clientOf } from './load.js'
import { plainRequest, streamRequest } from './payload.js'
import type { Peer } from './peers.js'

/** How long and how much; see `run.ts` for the two sizes of a run. */
export interface Size {
  readonly rounds: number
  /** For each server, in which all are called. */
  readonly warmUpMs: number
  readonly sliceMs: number
  /** Streams at the same time while events are measured. */
  readonly streams: number
  /** Streams left open while memory is measured. */
  readonly openStreams: number
}

export interface Subject {
  readonly peer: Peer
  readonly server: Server
  readonly client: Client
}

/** One value a round of what is compared round by round; first bytes keep every sample of the run. */
export interface Samples {
  readonly plain1k: number[]
  readonly plain20k: number[]
  readonly event: number[]
  readonly stream: number[]
  readonly firstBytes: number[]
}

type Step = (subject: Subject, size: Size, samples: Samples) => Promise<void>

/** Callers at the same time: enough to keep a server busy, as a proxy in production is. */
const CONCURRENCY = 16

/** Memory is not noisy. */
const MEMORY_ROUNDS = 3

const small = plainRequest(1024)
const large = plainRequest(20 * 1024)
const steady = streamRequest('steady')
const trickling = streamRequest('trickle')

const steps: readonly Step[] = [
  async (subject, size, samples) => void samples.plain1k.push(await cpuPerCall(subject, small, size.sliceMs)),
  async (subject, size, samples) => void samples.plain20k.push(await cpuPerCall(subject, large, size.sliceMs)),
  async (subject, size, samples) => void samples.event.push(await cpuPerEvent(subject, size.streams)),
  async ({ client }, size, samples) =>
    void samples.firstBytes.push(...(await client.firstBytes(small, size.sliceMs / 2))),
]

/** After all the others: a forced collection makes Node forget compiled code, which would cost the next round. */
const lastSteps: readonly Step[] = [
  async (subject, size, samples) => void samples.stream.push(await memoryPerStream(subject, size.openStreams)),
]

/** Starts the servers of all peers and calls them, all at once, until their code is compiled. */
export async function prepare(peers: readonly Peer[], upstreamUrl: string, size: Size): Promise<Subject[]> {
  const ms = size.warmUpMs * peers.length
  return Promise.all(
    peers.map(async (peer) => {
      const server = await start(peer.module, upstreamUrl)
      const client = clientOf(server.url)
      await client.plain(small, { ms, concurrency: CONCURRENCY })
      await Promise.all([
        client.plain(large, { ms: ms / 2, concurrency: CONCURRENCY }),
        client.streams(steady, size.streams),
      ])
      return { peer, server, client }
    }),
  )
}

/** Every figure of every server in turn (A B C A B C ...), so that what else the machine does meets them alike. */
export async function measure(
  subjects: readonly Subject[],
  size: Size,
  progress: (text: string) => void,
): Promise<Map<string, Samples>> {
  const samples = new Map(subjects.map(({ peer }) => [peer.name, noSamples()]))
  const repeat = async (rounds: number, work: readonly Step[]): Promise<void> => {
    for (let round = 1; round <= rounds; round++) {
      for (const step of work) {
        for (const subject of subjects) {
          progress(`round ${round} of ${rounds}: ${subject.peer.title}`)
          await step(subject, size, samples.get(subject.peer.name)!)
        }
      }
    }
  }
  await repeat(size.rounds, steps)
  await repeat(Math.min(size.rounds, MEMORY_ROUNDS), lastSteps)
  return samples
}

async function cpuPerCall({ server, client }: Subject, body: string, ms: number): Promise<number> {
  const before = await server.cpuUs()
  const calls = await client.plain(body, { ms, concurrency: CONCURRENCY })
  return ((await server.cpuUs()) - before) / calls
}

async function cpuPerEvent({ server, client }: Subject, streams: number): Promise<number> {
  const before = await server.cpuUs()
  const events = await client.streams(steady, streams)
  return ((await server.cpuUs()) - before) / events
}

/** In KB. */
async function memoryPerStream({ server, client }: Subject, count: number): Promise<number> {
  const before = await server.memoryBytes()
  const close = await client.open(trickling, { count, ms: 250 })
  const during = await server.memoryBytes()
  close()
  return (during - before) / count / 1024
}

function noSamples(): Samples {
  return { plain1k: [], plain20k: [], event: [], stream: [], firstBytes: [] }
}

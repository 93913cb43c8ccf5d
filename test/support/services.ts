import { connect } from 'node:net'

/** What some tests need beside Node: how it is greeted, and what it says then. */
const SERVICES = [
  // An SSLRequest, which every PostgreSQL answers with one letter.
  { name: 'PostgreSQL', port: 5432, says: Buffer.from('0000000804d2162f', 'hex'), answer: /^[NS]/ },
  { name: 'Redis', port: 6379, says: Buffer.from('PING\r\n'), answer: /^(\+PONG|-NOAUTH)/ },
] as const

type Service = (typeof SERVICES)[number]

const LIMIT_MS = 2_000

/**
 * Says on a line each which services are not there, whose tests skip. With HOOSH_SERVICES=required, as in
 * `npm run test:services`, that is a failure.
 */
export async function setup(): Promise<void> {
  const answers = await Promise.all(SERVICES.map(async (service) => ({ service, isThere: await isThere(service) })))
  const missing = answers
    .filter((one) => !one.isThere)
    .map(({ service: { name, port } }) => `${name} at 127.0.0.1:${port}`)
  if (missing.length === 0) return
  if (process.env.HOOSH_SERVICES === 'required') throw new TypeError(`not there, and required: ${missing.join(', ')}`)
  for (const one of missing) console.warn(`${one} does not answer: its tests are skipped`)
}

function isThere({ port, says, answer }: Service): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(says))
    const end = (found: boolean) => {
      socket.destroy()
      resolve(found)
    }
    socket.setTimeout(LIMIT_MS, () => end(false))
    socket.on('error', () => end(false)).on('data', (data) => end(answer.test(data.toString('latin1'))))
  })
}

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection that sends exactly what a case says. */
export async function dial(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** Head and body of a request, the body's length announced unless a header says otherwise. */
export function head(method: string, path: string, headers: Readonly<Record<string, string | number>> = {}): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A piece of a chunked body. */
export const piece = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

/** One whole answer from a connection that stays open. */
export async function readAnswer(socket: Socket, { hasBody = true } = {}): Promise<{ head: string; body: string }> {
  let all = ''
  const isWhole = () => {
    const at = all.indexOf('\r\n\r\n')
    if (at < 0) return false
    const length = /^content-length: *(\d+)/im.exec(all.slice(0, at))?.[1]
    if (!hasBody) return true
    return length === undefined ? all.endsWith('0\r\n\r\n') : all.length >= at + 4 + Number(length)
  }
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    all += (chunk as Buffer).toString('latin1')
    if (isWhole()) break
  }
  const at = all.indexOf('\r\n\r\n')
  return { head: all.slice(0, at).toLowerCase(), body: all.slice(at + 4) }
}

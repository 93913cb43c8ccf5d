import { serveNext } from './serve-next.js'

await serveNext('/by-hand')

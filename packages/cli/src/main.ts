import { run } from './run.js'

// Whoever reads us may stop: `hoosh audit verify ... | head`.
process.stdout.on('error', () => {})

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
})

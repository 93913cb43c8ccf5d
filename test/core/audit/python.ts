import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { AuditVerdict } from '@hoosh/core/audit'

/** The verifier in docs/, as users run it. */
export const PYTHON_VERIFIER = fileURLToPath(new URL('../../../docs/verify-audit.py', import.meta.url))

/** Null where there is no Python 3 here. */
export const python = spawnSync('python3', ['--version']).status === 0 ? 'python3' : null

/** Files of a log and of checkpoints, each read as one after the other. */
export interface PythonCase {
  readonly logs: readonly Buffer[]
  readonly checkpoints: readonly Buffer[]
  readonly publicKey: string
  readonly key: string | null
  readonly requireTags: boolean
}

// Many cases in one process: to start Python takes longer than to check a log.
const DRIVER = `
import base64, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("verifier", sys.argv[1])
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)
for line in sys.stdin:
    case = json.loads(line)
    files = lambda name: [base64.b64decode(file) for file in case[name]]
    try:
        result = verifier.verify(files("logs"), files("checkpoints"), case["publicKey"], case["key"], case["requireTags"])
    except Exception as error:
        result = {"raised": repr(error)}
    print(json.dumps(result), flush=True)
`

/** The verdicts of the verifier in Python, in order. */
export async function pythonVerdicts(cases: readonly PythonCase[]): Promise<AuditVerdict[]> {
  const child = spawn(python!, ['-c', DRIVER, PYTHON_VERIFIER], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const verdicts: AuditVerdict[] = []
  const read = (async () => {
    for await (const line of createInterface({ input: child.stdout })) verdicts.push(JSON.parse(line) as AuditVerdict)
  })()
  const packed = (files: readonly Buffer[]) => files.map((file) => file.toString('base64'))
  for (const { logs, checkpoints, ...rest } of cases) {
    const line = JSON.stringify({ logs: packed(logs), checkpoints: packed(checkpoints), ...rest })
    if (!child.stdin.write(`${line}\n`)) await once(child.stdin, 'drain')
  }
  child.stdin.end()
  await exited
  await read
  return verdicts
}

/** Whether its own Ed25519 says that a signature is good, one answer for each. */
export function pythonSignatures(
  cases: readonly { publicKey: string; signature: string; message: string }[],
): boolean[] {
  const script = `
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("verifier", sys.argv[1])
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)
b = bytes.fromhex
print(json.dumps([verifier.ed25519_verify(b(c["publicKey"]), b(c["signature"]), b(c["message"])) for c in json.load(sys.stdin)]))
`
  const { stdout } = spawnSync(python!, ['-c', script, PYTHON_VERIFIER], {
    input: JSON.stringify(cases),
    encoding: 'utf8',
  })
  return JSON.parse(stdout) as boolean[]
}

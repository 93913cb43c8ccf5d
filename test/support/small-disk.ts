import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A disk of its own that a test can fill to the last byte. */
export interface SmallDisk {
  readonly path: string
  /** Leaves room for so many bytes, in whole blocks of 4,096. */
  fill(leaving: number): void
  /** Takes away what filled it. */
  empty(): void
}

/** Why there is none here; null where there is. */
export const noSmallDisk: string | null = reason()

function reason(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting a tmpfs takes Linux and root'
  const path = mkdtempSync(join(tmpdir(), 'hoosh-disk-'))
  try {
    mount(path, 65_536)
    execFileSync('umount', [path])
    return null
  } catch {
    return 'a tmpfs cannot be mounted here'
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

function mount(path: string, bytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'ignore' })
}

export function smallDisk(bytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'hoosh-disk-'))
  mount(path, bytes)
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', path])
    rmSync(path, { recursive: true, force: true })
  })
  const filler = join(path, 'filler')
  return {
    path,
    fill(leaving) {
      const { bavail, bsize } = statfsSync(path)
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - leaving)))
    },
    empty: () => rmSync(filler, { force: true }),
  }
}

import { type FileHandle, open } from 'node:fs/promises'

/** Waits until the disk has the names in a folder too: a file's own bytes do not help where its name is lost. */
export async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle
  try {
    folder = await open(path, 'r')
  } catch {
    // Windows opens no folders, and elsewhere who may write in one need not be allowed to read it.
    return
  }
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

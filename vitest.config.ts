import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`./packages/${path}`, import.meta.url))

// Tests run against the sources; what is published is checked by the package tests, from a packed tarball.
export default defineConfig({
  resolve: {
    alias: [
      { find: '@hoosh/core/node', replacement: source('core/src/node.ts') },
      { find: '@hoosh/core/fetch', replacement: source('core/src/fetch.ts') },
      { find: '@hoosh/core/testing', replacement: source('core/src/testing/index.ts') },
      { find: '@hoosh/core/conformance', replacement: source('core/src/conformance/index.ts') },
      { find: '@hoosh/core/audit', replacement: source('core/src/audit/index.ts') },
      { find: '@hoosh/core/storage', replacement: source('core/src/storage/index.ts') },
      { find: '@hoosh/core', replacement: source('core/src/index.ts') },
      { find: '@hoosh/express', replacement: source('express/src/index.ts') },
      { find: '@hoosh/koa', replacement: source('koa/src/index.ts') },
      { find: '@hoosh/next', replacement: source('next/src/index.ts') },
      { find: '@hoosh/sql', replacement: source('sql/src/index.ts') },
      { find: '@hoosh/redis', replacement: source('redis/src/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/services.ts', 'test/mounts/table.ts', 'test/support/once.ts'],
    // Nothing is slow by itself; a machine with much else to do is.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    pool: 'forks',
    // They wait for disks, processes and deadlines more than they compute.
    maxWorkers: Math.max(3, availableParallelism() - 1),
  },
})

import type { Account } from './memory-account.js'

/** The accounts of a reservation as they are kept for long: mostly it is one, and then no array is kept for it. */
export type KeptAccounts = Account | readonly Account[]

export function kept(accounts: readonly Account[]): KeptAccounts {
  return accounts.length === 1 ? accounts[0]! : accounts
}

export function allKept(accounts: KeptAccounts): readonly Account[] {
  return 'pool' in accounts ? [accounts] : accounts
}

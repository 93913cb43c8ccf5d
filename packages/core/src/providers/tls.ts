import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { ProviderSettings } from '../config/settings.js'
import { HooshError } from '../errors.js'
import { revealed, type Secret } from '../secret.js'

/** PEM texts, checked. */
export interface PinnedTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** One certificate after the other, as files of authorities hold them. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * Reads what a route pins: with `ca` no other authority is trusted, not even the system's; `cert` and `key` are shown to
 * the server. Anything that cannot be used stops the start: a pin that is ignored would be none.
 *
 * @throws HooshError `invalid_options`
 */
export function pinnedTls({ ca, cert, key }: NonNullable<ProviderSettings['tls']>, routeName: string): PinnedTls {
  const fault = (field: string, rule: string, cause?: unknown) =>
    new HooshError('invalid_options', {
      message: `\`tls.${field}\` of the provider "${routeName}" ${rule}.`,
      ...(cause === undefined ? {} : { cause }),
    })
  if ((cert === undefined) !== (key === undefined)) {
    throw fault(cert === undefined ? 'cert' : 'key', 'is missing: a client certificate and its key come together')
  }
  const read = (field: string, given: string | Secret): string => {
    const value = revealed(given)
    try {
      return value.includes('-----BEGIN') ? value : readFileSync(value, 'utf8')
    } catch (cause) {
      throw fault(field, 'is neither PEM nor a file that can be read', cause)
    }
  }
  const certificates = (field: string, value: string | Secret): string => {
    const pem = read(field, value)
    const found = pem.match(CERTIFICATE) ?? []
    if (found.length === 0) throw fault(field, 'holds no certificate')
    try {
      for (const one of found) void new X509Certificate(one)
    } catch (cause) {
      throw fault(field, 'holds a certificate that cannot be read', cause)
    }
    return pem
  }
  const pinned = {
    ...(ca === undefined ? {} : { ca: certificates('ca', ca) }),
    ...(cert === undefined ? {} : { cert: certificates('cert', cert) }),
    ...(key === undefined ? {} : { key: read('key', key) }),
  }
  try {
    if (pinned.key !== undefined) createPrivateKey(pinned.key)
    createSecureContext(pinned)
  } catch (cause) {
    throw fault('key', 'does not fit its certificate, or cannot be read', cause)
  }
  return pinned
}

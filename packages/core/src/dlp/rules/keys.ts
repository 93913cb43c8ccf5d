import type { Rule } from '../rule.js'

type Key = readonly [name: string, pattern: string, more?: string]

/**
 * Keys and tokens as those who give them out document them, the telling beginning first. A name may stand several times.
 *
 * A key that is longer than what the pattern asks for goes on for as long as its characters do (`more`).
 */
const KEYS: readonly Key[] = [
  ['aws_key', '(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])'],
  ['github_token', 'gh[pousr]_[A-Za-z0-9]{36}', 'A-Za-z0-9'],
  ['github_token', 'github_pat_[A-Za-z0-9_]{22}', 'A-Za-z0-9_'],
  ['gitlab_token', 'gl(?:pat|dt|rt|ptt|soat|cbt|ft|imt|agent)-[A-Za-z0-9_-]{20}', 'A-Za-z0-9_.-'],
  ['api_key', '(?:sk|pk)-(?:proj|svcacct|admin|None|ant-[a-z0-9]{3,10}|or-v1|lf)-[A-Za-z0-9_-]{20}', 'A-Za-z0-9_-'],
  ['api_key', '(?:sk|pk)-[A-Za-z0-9]{20}', 'A-Za-z0-9_-'],
  ['api_key', '[Aa][Pp][Ii][_-]?[Kk][Ee][Yy]["\']?[=: ]{1,5}["\']?[A-Za-z0-9]{20}', 'A-Za-z0-9_-'],
  ['stripe_key', '(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16}', 'A-Za-z0-9'],
  ['stripe_key', 'whsec_[A-Za-z0-9+/]{24}', 'A-Za-z0-9+/='],
  ['google_key', 'AIza[A-Za-z0-9_-]{35}', 'A-Za-z0-9_-'],
  ['google_key', 'GOCSPX-[A-Za-z0-9_-]{28}', 'A-Za-z0-9_-'],
  ['google_key', 'ya29\\.[A-Za-z0-9_-]{20}', 'A-Za-z0-9_-'],
  ['slack_token', 'xox[abeoprs]-[A-Za-z0-9-]{10}', 'A-Za-z0-9-'],
  ['slack_token', 'xapp-\\d-[A-Z0-9]{5,15}-\\d{5,20}-[a-z0-9]{10}', 'a-z0-9'],
  ['slack_webhook', 'hooks\\.slack\\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20}', 'A-Za-z0-9'],
  ['huggingface_token', 'hf_[A-Za-z0-9]{34}', 'A-Za-z0-9'],
  ['groq_key', 'gsk_[A-Za-z0-9]{40}', 'A-Za-z0-9'],
  ['xai_key', 'xai-[A-Za-z0-9]{40}', 'A-Za-z0-9'],
  ['perplexity_key', 'pplx-[A-Za-z0-9]{40}', 'A-Za-z0-9'],
  ['nvidia_key', 'nvapi-[A-Za-z0-9_-]{40}', 'A-Za-z0-9_-'],
  ['replicate_token', 'r8_[A-Za-z0-9]{37}', 'A-Za-z0-9'],
  ['npm_token', 'npm_[A-Za-z0-9]{36}', 'A-Za-z0-9'],
  ['pypi_token', 'pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50}', 'A-Za-z0-9_-'],
  ['docker_token', 'dckr_(?:pat|oat)_[A-Za-z0-9_-]{27}', 'A-Za-z0-9_-'],
  ['sendgrid_key', 'SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}', 'A-Za-z0-9_-'],
  ['twilio_key', 'SK[0-9a-f]{32}(?![A-Za-z0-9])'],
  ['mailgun_key', 'key-[0-9a-f]{32}(?![A-Za-z0-9])'],
  ['shopify_token', 'shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}', 'A-Fa-f0-9'],
  ['square_token', 'sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22}', 'A-Za-z0-9_-'],
  ['digitalocean_token', 'do[opr]_v1_[a-f0-9]{64}', 'a-f0-9'],
  ['databricks_token', 'dapi[0-9a-f]{32}(?![A-Za-z0-9])'],
  ['vault_token', 'hv[sbr]\\.[A-Za-z0-9_-]{24}', 'A-Za-z0-9_-'],
  ['grafana_token', 'glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}'],
  ['grafana_token', 'glc_[A-Za-z0-9+/]{32}', 'A-Za-z0-9+/='],
  ['linear_key', 'lin_(?:api|oauth)_[A-Za-z0-9]{40}', 'A-Za-z0-9'],
  ['postman_key', 'PMAK-[A-Fa-f0-9]{24}-[A-Fa-f0-9]{34}'],
  ['newrelic_key', 'NRAK-[A-Z0-9]{27}', 'A-Z0-9'],
  ['atlassian_token', 'ATATT3[A-Za-z0-9_=-]{60}', 'A-Za-z0-9_=-'],
  ['supabase_key', 'sbp_[a-f0-9]{40}', 'a-f0-9'],
  ['planetscale_token', 'pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_-]{32}', 'A-Za-z0-9_-'],
  ['age_key', 'AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}'],
  ['telegram_token', '\\d{8,10}:AA[A-Za-z0-9_-]{32,33}(?![A-Za-z0-9_-])'],
  ['azure_key', 'AccountKey=[A-Za-z0-9+/]{86}=='],
  ['aws_secret', 'aws_secret_access_key["\']?[=: ]{1,5}["\']?[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])'],
  ['aws_secret', 'AWS_SECRET_ACCESS_KEY["\']?[=: ]{1,5}["\']?[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])'],
]

/** Names that a JOSE header may begin with (RFC 7515, 7516). */
const JOSE_NAMES = 'alg typ kid enc cty zip jku jwk x5u x5c x5t crit b64 epk apu apv iv tag p2s p2c'.split(' ')

/** What the header of a token begins with, in base64: the letters that its first name alone decides. */
function joseBeginning(name: string): string {
  const json = `{"${name}"`
  return Buffer.from(json)
    .toString('base64url')
    .slice(0, Math.floor((json.length * 4) / 3))
}

/** Begins with the header of a JSON Web Token and goes on to its end, however long. */
const jwt: Rule = {
  name: 'jwt',
  level: 'restricted',
  family: 'keys',
  pattern: `(?:${JOSE_NAMES.map(joseBeginning).join('|')})[A-Za-z0-9_-]{8}`,
  more: 'A-Za-z0-9_.-',
}

/** RFC 7468, OpenSSH and PGP; whatever stands between the lines. */
const privateKey: Rule = {
  name: 'private_key',
  level: 'restricted',
  family: 'words',
  pattern: '-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----',
  until: '-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----',
}

/** A password in a URL (RFC 3986, 3.2.1). */
const urlPassword: Rule = {
  name: 'url_password',
  level: 'restricted',
  family: 'keys',
  pattern: '[A-Za-z][A-Za-z0-9+]{1,14}://[^\\s/:@"\'<>{}]{0,40}:[^\\s/:@"\'<>{}$]{3,60}@',
}

export const keyRules: readonly Rule[] = [
  ...KEYS.map(
    ([name, pattern, more]): Rule => ({
      name,
      level: 'restricted',
      family: 'keys',
      pattern,
      ...(more === undefined ? {} : { more }),
    }),
  ),
  jwt,
  privateKey,
  urlPassword,
]

/** Indexes of the accounts' tables, by table, as a start makes them on Postgres: the doctor compares. */
export const ACCOUNT_INDEXES: Readonly<Record<string, readonly string[]>> = {
  users: ["unique (id)", "unique (email)", "unique (email_key)"],
  session_families: ["unique (id)", '("user")'],
  refresh_tokens: ["unique (hash)", "(family)", "(expires_at)"],
  signing_keys: ["unique (kid)"],
  api_keys: ["unique (id)", '("user")'],
  external_people: ["unique (issuer, subject)", '("user")'],
  first_administrator: ['unique ("user")'],
  mailed_tokens: ["unique (hash)", '("user", purpose)', "(expires_at)"],
  mails: ["unique (id)", "(next_at)"],
  idempotency_keys: ["unique (scope)", "(expires_at)"],
  known_addresses: ['unique ("user", address)'],
};

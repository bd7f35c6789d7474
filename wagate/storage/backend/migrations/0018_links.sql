-- Links that somebody without a token opens: to scan for one number, or to look as one client.

CREATE TABLE links (
  id TEXT PRIMARY KEY NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  client_id INTEGER NOT NULL,
  account_id TEXT NOT NULL,
  may_act BOOLEAN NOT NULL,
  note TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  opened_at TIMESTAMPTZ
);

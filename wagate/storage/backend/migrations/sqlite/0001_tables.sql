-- Tables and indexes (SQLite). Times are aware UTC; JSON is text. Statements end with a semicolon at a line's end.

CREATE TABLE clients (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY NOT NULL,
  client_id INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  last_used_at TEXT
);
CREATE INDEX tokens_client ON tokens (client_id);

CREATE TABLE accounts (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL UNIQUE,
  client_id INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  provider TEXT NOT NULL,
  phone TEXT NOT NULL DEFAULT '',
  settings TEXT NOT NULL DEFAULT '',
  webhook_secret TEXT NOT NULL DEFAULT '',
  metadata TEXT NOT NULL DEFAULT '{}',
  ignore TEXT NOT NULL DEFAULT '{}',
  source TEXT NOT NULL DEFAULT 'api',
  status TEXT NOT NULL DEFAULT 'initializing',
  message TEXT NOT NULL DEFAULT '',
  qr TEXT,
  qr_at TEXT,
  percent INTEGER,
  ever_connected INTEGER NOT NULL DEFAULT FALSE,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE INDEX accounts_client ON accounts (client_id);
CREATE INDEX accounts_qr ON accounts (qr_at) WHERE qr_at IS NOT NULL;

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY NOT NULL,
  connector TEXT NOT NULL DEFAULT 'webhook',
  client_id INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  phone_number TEXT NOT NULL,
  name TEXT NOT NULL DEFAULT '',
  webhook_url TEXT NOT NULL,
  is_active INTEGER NOT NULL DEFAULT TRUE,
  max_retries INTEGER NOT NULL DEFAULT 3,
  events TEXT NOT NULL DEFAULT '["message"]',
  format TEXT NOT NULL DEFAULT 'flat',
  headers TEXT NOT NULL DEFAULT '',
  secrets TEXT NOT NULL DEFAULT '',
  metadata TEXT NOT NULL DEFAULT '{}',
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (connector, client_id, phone_number, name)
);
CREATE INDEX webhooks_client ON webhooks (client_id);

CREATE TABLE targets (
  id TEXT PRIMARY KEY NOT NULL,
  handler TEXT NOT NULL,
  client_id INTEGER,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'failed', 'disabled')),
  failure_count INTEGER NOT NULL DEFAULT 0,
  streak INTEGER NOT NULL DEFAULT 0,
  streak_since TEXT,
  failing_since TEXT,
  down_since TEXT,
  next_probe_at TEXT,
  probes INTEGER NOT NULL DEFAULT 0,
  last_success_at TEXT,
  last_attempt_at TEXT,
  last_error TEXT,
  alerted INTEGER NOT NULL DEFAULT 0,
  updated_at TEXT NOT NULL
);

CREATE TABLE events (
  id TEXT PRIMARY KEY NOT NULL,
  client_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  phone TEXT NOT NULL,
  provider TEXT NOT NULL,
  kind TEXT NOT NULL,
  chat TEXT NOT NULL,
  sender TEXT NOT NULL,
  recipient TEXT NOT NULL,
  message_id TEXT NOT NULL,
  type TEXT NOT NULL,
  content TEXT NOT NULL,
  from_me INTEGER NOT NULL,
  contact_name TEXT,
  media TEXT,
  reply_to TEXT,
  extra TEXT NOT NULL,
  metadata TEXT NOT NULL,
  raw BLOB NOT NULL,
  timestamp TEXT NOT NULL,
  created_at TEXT NOT NULL,
  unrouted INTEGER NOT NULL DEFAULT FALSE
);
CREATE INDEX events_client ON events (client_id, id);
CREATE INDEX events_message ON events (account, message_id);
CREATE INDEX events_created ON events (created_at);
CREATE INDEX events_unrouted ON events (id) WHERE unrouted = TRUE;

CREATE TABLE dedupe (
  key TEXT PRIMARY KEY NOT NULL,
  event_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX dedupe_created ON dedupe (created_at);

CREATE TABLE lanes (
  key TEXT PRIMARY KEY NOT NULL,
  seq INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY NOT NULL,
  event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  handler TEXT NOT NULL,
  target_id TEXT NOT NULL,
  key TEXT NOT NULL,
  seq INTEGER NOT NULL,
  client_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  chat TEXT NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('push', 'pull')),
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'delivering', 'delivered', 'failed', 'cancelled', 'expired')),
  settled INTEGER NOT NULL DEFAULT FALSE,
  held INTEGER NOT NULL DEFAULT FALSE,
  attempt_count INTEGER NOT NULL DEFAULT 0,
  max_retries INTEGER NOT NULL,
  http_status INTEGER,
  response TEXT,
  error TEXT,
  first_attempt_at TEXT,
  next_retry_at TEXT,
  created_at TEXT NOT NULL,
  delivered_at TEXT,
  updated_at TEXT NOT NULL,
  lease_id TEXT,
  lease_until TEXT,
  started_at TEXT,
  result TEXT,
  expires_at TEXT
);
CREATE INDEX deliveries_open ON deliveries (key, seq) WHERE settled = FALSE;
CREATE INDEX deliveries_target ON deliveries (target_id, id);
CREATE INDEX deliveries_event ON deliveries (event_id);
CREATE INDEX deliveries_client ON deliveries (client_id, id);
CREATE INDEX deliveries_failed ON deliveries (target_id, id) WHERE status = 'failed';
CREATE INDEX deliveries_jobs ON deliveries (created_at) WHERE mode = 'pull';

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  http_status INTEGER,
  error TEXT,
  response TEXT
);
CREATE INDEX attempts_delivery ON attempts (delivery_id);

CREATE TABLE idempotency (
  client TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  status INTEGER,
  content_type TEXT,
  body BLOB,
  created_at TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT FALSE,
  PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE plugin_records (
  plugin TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (plugin, key)
);

CREATE TABLE revision (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  value INTEGER NOT NULL
);
INSERT INTO revision (id, value) VALUES (1, 0);

-- Messages sent, files, contacts and chats.

ALTER TABLE accounts ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;
ALTER TABLE accounts ADD COLUMN position INTEGER NOT NULL DEFAULT 0;

CREATE TABLE messages (
  id TEXT PRIMARY KEY NOT NULL,
  client_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  provider TEXT NOT NULL,
  chat TEXT NOT NULL,
  type TEXT NOT NULL,
  content TEXT NOT NULL DEFAULT '',
  message TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown')),
  provider_id TEXT NOT NULL DEFAULT '',
  event_id TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  source TEXT NOT NULL,
  source_key TEXT,
  job_id TEXT,
  metadata TEXT NOT NULL DEFAULT '{}',
  warnings TEXT NOT NULL DEFAULT '[]',
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  error_code TEXT,
  outside_window BOOLEAN NOT NULL DEFAULT FALSE,
  told BOOLEAN NOT NULL DEFAULT FALSE,
  created_at TIMESTAMPTZ NOT NULL,
  sending_at TIMESTAMPTZ,
  sent_at TIMESTAMPTZ,
  delivered_at TIMESTAMPTZ,
  read_at TIMESTAMPTZ,
  failed_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX messages_client ON messages (client_id, id);
CREATE INDEX messages_status ON messages (client_id, status, id);
CREATE INDEX messages_chat ON messages (client_id, chat, id);
CREATE INDEX messages_provider ON messages (account, provider_id) WHERE provider_id <> '';
CREATE INDEX messages_open ON messages (id) WHERE status IN ('queued', 'sending');
CREATE INDEX messages_untold ON messages (id) WHERE status IN ('sent', 'delivered', 'read', 'failed') AND told = FALSE;
CREATE INDEX messages_delivery ON messages (delivery_id);
CREATE UNIQUE INDEX messages_source ON messages (source, client_id, source_key) WHERE source_key IS NOT NULL;
CREATE INDEX messages_created ON messages (created_at);

CREATE TABLE media (
  id TEXT PRIMARY KEY NOT NULL,
  client_id INTEGER NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'stored', 'failed', 'gone')),
  sha256 TEXT NOT NULL DEFAULT '',
  mimetype TEXT NOT NULL DEFAULT '',
  filename TEXT NOT NULL DEFAULT '',
  size BIGINT,
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  next_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX media_pending ON media (next_at) WHERE status = 'pending';
CREATE INDEX media_hash ON media (sha256) WHERE sha256 <> '';
CREATE INDEX media_created ON media (created_at);

CREATE TABLE contacts (
  id TEXT PRIMARY KEY NOT NULL,
  client_id INTEGER NOT NULL,
  name TEXT NOT NULL DEFAULT '',
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX contacts_client ON contacts (client_id, id);

CREATE TABLE contact_keys (
  client_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  contact_id TEXT NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  PRIMARY KEY (client_id, key)
);
CREATE INDEX contact_keys_contact ON contact_keys (contact_id);

CREATE TABLE chats (
  client_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  chat TEXT NOT NULL,
  name TEXT NOT NULL DEFAULT '',
  messages INTEGER NOT NULL DEFAULT 0,
  last_event_id TEXT NOT NULL DEFAULT '',
  last_at TIMESTAMPTZ NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (client_id, chat, account)
);
CREATE INDEX chats_recent ON chats (client_id, last_at);
CREATE INDEX events_chat ON events (client_id, chat, id);
CREATE INDEX plugin_records_prefix ON plugin_records (plugin, key COLLATE "C"); -- postgres

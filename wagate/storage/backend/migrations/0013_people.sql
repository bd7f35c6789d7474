-- Messages are found by their bare ids (wagate/parsing/message_ids.py), and people by the number that is valid now.

ALTER TABLE events ADD COLUMN bare_id TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN bare_id TEXT NOT NULL DEFAULT '';

UPDATE events SET bare_id = message_id;
UPDATE events SET bare_id = substr(bare_id, instr(bare_id, '_') + 1) WHERE message_id GLOB 'true_*_?*' OR message_id GLOB 'false_*_?*'; -- sqlite
UPDATE events SET bare_id = substr(bare_id, instr(bare_id, '_') + 1) WHERE bare_id <> message_id; -- sqlite
UPDATE events SET bare_id = substr(bare_id, 1, instr(bare_id || '_', '_') - 1) WHERE bare_id <> message_id; -- sqlite
UPDATE events SET bare_id = split_part(message_id, '_', 3) WHERE message_id ~ '^(true|false)_[^_]*_[^_]'; -- postgres
UPDATE messages SET bare_id = provider_id;
UPDATE messages SET bare_id = substr(bare_id, instr(bare_id, '_') + 1) WHERE provider_id GLOB 'true_*_?*' OR provider_id GLOB 'false_*_?*'; -- sqlite
UPDATE messages SET bare_id = substr(bare_id, instr(bare_id, '_') + 1) WHERE bare_id <> provider_id; -- sqlite
UPDATE messages SET bare_id = substr(bare_id, 1, instr(bare_id || '_', '_') - 1) WHERE bare_id <> provider_id; -- sqlite
UPDATE messages SET bare_id = split_part(provider_id, '_', 3) WHERE provider_id ~ '^(true|false)_[^_]*_[^_]'; -- postgres

DROP INDEX events_message;
CREATE INDEX events_bare ON events (bare_id, account_id);
DROP INDEX messages_provider;
CREATE INDEX messages_bare ON messages (bare_id, account_id) WHERE bare_id <> '';

-- When a key was last told to be the person's: of several numbers the latest is the valid one.
ALTER TABLE contact_keys ADD COLUMN told_at TIMESTAMPTZ;

-- How many a group has, us included; 0 when nobody told.
ALTER TABLE chats ADD COLUMN members INTEGER NOT NULL DEFAULT 0;

-- Sessions and numbers for which webhooks came, and which no account has.
CREATE TABLE unknown_numbers (
  client_id INTEGER NOT NULL,
  provider TEXT NOT NULL,
  number TEXT NOT NULL,
  account TEXT NOT NULL,
  events INTEGER NOT NULL DEFAULT 0,
  first_at TIMESTAMPTZ NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (client_id, provider, number)
);

-- Labels of accounts whose provider has none: they are wagate's own, and no phone shows them.

-- How many labels an account has ever had: no two get the same id.
CREATE TABLE label_numbers (
  account_id TEXT PRIMARY KEY NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  last INTEGER NOT NULL
);

CREATE TABLE labels (
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  color INTEGER NOT NULL,
  PRIMARY KEY (account_id, id)
);

CREATE TABLE labeled_chats (
  account_id TEXT NOT NULL,
  chat TEXT NOT NULL,
  label_id TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account_id, chat, label_id),
  FOREIGN KEY (account_id, label_id) REFERENCES labels (account_id, id) ON DELETE CASCADE
);
CREATE INDEX labeled_chats_label ON labeled_chats (account_id, label_id, chat);
CREATE INDEX labeled_chats_age ON labeled_chats (created_at);

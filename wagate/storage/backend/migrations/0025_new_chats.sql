-- Chats that an account begins with people who never wrote to it: the line in which they wait, and when each began.

CREATE TABLE new_chats (
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  chat TEXT NOT NULL,
  message_id TEXT NOT NULL,
  asked_at TIMESTAMPTZ NOT NULL,
  full_at TIMESTAMPTZ,
  PRIMARY KEY (account_id, chat)
);
CREATE INDEX new_chats_line ON new_chats (account_id, message_id) WHERE full_at IS NULL;
CREATE INDEX new_chats_begun ON new_chats (account_id, full_at) WHERE full_at IS NOT NULL;
CREATE INDEX new_chats_asked ON new_chats (asked_at);

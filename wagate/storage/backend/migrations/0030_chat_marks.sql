-- What is said of a chat or a message besides what was said in it: wagate's own; a phone is told only where a provider can.

ALTER TABLE chats ADD COLUMN archived BOOLEAN NOT NULL DEFAULT FALSE;

-- How many messages came in since the chat was read or answered; -1: somebody marked it as unread.
ALTER TABLE chats ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;

-- The event of our last message.
ALTER TABLE chats ADD COLUMN answered TEXT NOT NULL DEFAULT '';

-- Up to which event the chat was cleared, and how many messages that were: they are kept, and WAHA's lists leave them out.
ALTER TABLE chats ADD COLUMN cleared_to TEXT NOT NULL DEFAULT '';
ALTER TABLE chats ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;

-- Cleared, and nothing was said since that.
ALTER TABLE chats ADD COLUMN deleted BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE starred_messages (
  event_id TEXT PRIMARY KEY NOT NULL REFERENCES events (id) ON DELETE CASCADE
);

-- Everybody's conversations, the newest first: without it, the list reads all chats there are.

CREATE INDEX chats_newest ON chats (last_at, last_event_id);

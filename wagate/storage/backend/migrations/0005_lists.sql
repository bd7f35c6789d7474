-- Every list of a page has an index that ends in the id, so that no page reads more than it shows.
-- Those on open deliveries and on what was not delivered are small. How a list chooses one: wagate/storage/statement.py.

CREATE INDEX deliveries_waiting ON deliveries (target_id, id, created_at) WHERE settled = FALSE;
CREATE INDEX deliveries_state ON deliveries (status, id) WHERE status <> 'delivered';
CREATE INDEX deliveries_client_state ON deliveries (client_id, status, id, mode, event_id) WHERE status <> 'delivered';
CREATE INDEX deliveries_chat ON deliveries (chat, id);
CREATE INDEX deliveries_account ON deliveries (account, id);
CREATE INDEX deliveries_handler ON deliveries (handler, id);
CREATE INDEX deliveries_client_handler ON deliveries (client_id, handler, id);

DROP INDEX events_message;
CREATE INDEX events_message ON events (message_id, account);

DROP INDEX messages_chat;
CREATE INDEX messages_chat ON messages (chat, id);
DROP INDEX messages_provider;
CREATE INDEX messages_provider ON messages (provider_id, account) WHERE provider_id <> '';
CREATE INDEX messages_account ON messages (account, id);
CREATE INDEX messages_unsent ON messages (status, id) WHERE status IN ('queued', 'sending', 'failed', 'unknown');

CREATE TABLE heartbeats (
  name TEXT PRIMARY KEY NOT NULL,
  at TIMESTAMPTZ NOT NULL
);

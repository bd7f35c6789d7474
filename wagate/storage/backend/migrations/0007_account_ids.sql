-- What belongs to an account is found by its id, never by its name: names change hands.

ALTER TABLE events ADD COLUMN account_id TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN account_id TEXT NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN account_id TEXT NOT NULL DEFAULT '';

UPDATE events SET account_id = coalesce((
  SELECT a.id FROM accounts a
  WHERE a.name = events.account AND a.client_id = events.client_id AND a.created_at <= events.created_at
), '');
UPDATE messages SET account_id = coalesce((
  SELECT a.id FROM accounts a
  WHERE a.name = messages.account AND a.client_id = messages.client_id AND a.created_at <= messages.created_at
), '');
UPDATE media SET account_id = coalesce((SELECT e.account_id FROM events e WHERE e.id = media.id), '');

-- What was not delivered keeps its place and its lane. A lane whose account is gone keeps its name.
UPDATE deliveries SET
  target_id = CASE
    WHEN handler <> 'outbound' THEN target_id
    ELSE 'outbound:' || coalesce((
      SELECT nullif(e.account_id, '') FROM events e WHERE e.id = deliveries.event_id
    ), account)
  END,
  key = CASE
    WHEN handler <> 'outbound' THEN target_id
    ELSE 'outbound:' || coalesce((
      SELECT nullif(e.account_id, '') FROM events e WHERE e.id = deliveries.event_id
    ), account)
  END || '|' || coalesce((
    SELECT nullif(e.account_id, '') FROM events e WHERE e.id = deliveries.event_id
  ), account) || '|' || chat
WHERE status <> 'delivered';
INSERT INTO lanes (key, seq)
  SELECT key, max(seq) FROM deliveries WHERE status <> 'delivered' GROUP BY key
  ON CONFLICT (key) DO NOTHING;
UPDATE targets SET id = 'outbound:' || (SELECT a.id FROM accounts a WHERE a.name = substr(targets.id, 10))
  WHERE handler = 'outbound' AND EXISTS (
    SELECT 1 FROM accounts a WHERE a.name = substr(targets.id, 10) AND a.client_id = targets.client_id
  );
DELETE FROM targets WHERE handler = 'outbound' AND NOT EXISTS (
  SELECT 1 FROM accounts a WHERE a.id = substr(targets.id, 10)
);

CREATE INDEX media_client ON media (client_id, direction, size) WHERE status = 'stored';

DROP INDEX events_message;
CREATE INDEX events_message ON events (message_id, account_id);
DROP INDEX messages_provider;
CREATE INDEX messages_provider ON messages (provider_id, account_id) WHERE provider_id <> '';

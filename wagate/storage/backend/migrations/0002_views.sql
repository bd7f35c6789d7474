-- The names and columns that the specifications of webhooks and jobs draw, over our tables.

CREATE VIEW jobs AS
SELECT
  d.id AS id,
  jsonb_build_object(
    'from', replace(e.sender, '@c.us', ''), 'to', replace(e.recipient, '@c.us', ''), 'message', e.content,
    'message_id', e.message_id, 'tenant_id', c.slug, 'contact_name', e.contact_name, 'type', e.type,
    'timestamp', e.timestamp
  ) AS payload,
  CASE d.status
    WHEN 'pending' THEN 'queued' WHEN 'delivering' THEN 'processing' WHEN 'delivered' THEN 'completed'
    WHEN 'expired' THEN 'expired' ELSE 'failed'
  END AS status,
  d.created_at AS created_at,
  d.updated_at AS updated_at
FROM deliveries d
JOIN events e ON e.id = d.event_id
LEFT JOIN clients c ON c.id = d.client_id
WHERE d.mode = 'pull';

CREATE VIEW whatsapp_webhooks AS
SELECT
  w.id AS id, w.client_id AS client_id, w.phone_number AS phone_number, w.webhook_url AS webhook_url,
  w.is_active AS is_active, coalesce(t.status, 'active') AS status, coalesce(t.failure_count, 0) AS failure_count,
  w.max_retries AS max_retries, t.last_error AS last_error, t.last_success_at AS last_success_at,
  t.last_attempt_at AS last_attempt_at, w.metadata AS metadata, w.created_at AS created_at, w.updated_at AS updated_at -- sqlite
  t.last_attempt_at AS last_attempt_at, w.metadata::jsonb AS metadata, w.created_at AS created_at, w.updated_at AS updated_at -- postgres
FROM webhooks w
LEFT JOIN targets t ON t.id = 'webhook:' || w.id
WHERE w.connector = 'webhook';

CREATE VIEW whatsapp_webhook_events AS
SELECT
  d.id AS id, substr(d.target_id, 9) AS webhook_id, e.message_id AS message_id,
  replace(e.sender, '@c.us', '') AS "from", replace(e.recipient, '@c.us', '') AS "to",
  e.type AS message_type, e.content AS content,
  jsonb_build_object(
    'client_id', d.client_id, 'message_id', e.message_id, 'from', replace(e.sender, '@c.us', ''),
    'to', replace(e.recipient, '@c.us', ''), 'timestamp', e.timestamp, 'type', e.type, 'content', e.content
  ) AS payload,
  d.status AS status, d.attempt_count AS attempt_count, d.http_status AS http_status, d.response AS response,
  d.error AS error, d.next_retry_at AS next_retry_at, d.created_at AS created_at, d.delivered_at AS delivered_at
FROM deliveries d
JOIN events e ON e.id = d.event_id
WHERE d.handler = 'webhook';

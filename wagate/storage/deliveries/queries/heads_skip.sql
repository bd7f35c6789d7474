-- HEADS_SKIP: as HEADS, but a delivery that waits for its next try lets those behind it pass.
-- When all wait, the one that is due first.
WITH wanted (key) AS (VALUES {wanted})
SELECT
  d.key, d.id, d.handler, d.target_id, d.client_id, d.mode, d.status, d.attempt_count, d.max_retries, d.held,
  d.created_at, d.first_attempt_at, d.next_retry_at, d.expires_at, d.earlier, d.stuck, d.claimed_by,
  d.claimed_until,
  EXISTS (
    SELECT 1 FROM deliveries m WHERE m.key = d.key AND m.settled = FALSE AND m.seq <> d.seq
  ) AS more,
  COALESCE(w.is_active, TRUE) AS is_active, t.id,
  {health},
  {event}
FROM wanted k
JOIN deliveries d ON d.id = COALESCE(
  (
    SELECT h.id FROM deliveries h
    WHERE h.key = k.key AND h.settled = FALSE AND h.stuck = FALSE
      AND (h.held = TRUE OR h.next_retry_at IS NULL OR h.next_retry_at <= ?)
    ORDER BY h.seq LIMIT 1
  ),
  (SELECT h.id FROM deliveries h WHERE h.key = k.key AND h.settled = FALSE ORDER BY h.stuck, h.next_retry_at, h.seq LIMIT 1)
)
JOIN events e ON e.id = d.event_id
LEFT JOIN clients c ON c.id = d.client_id
LEFT JOIN targets t ON t.id = d.target_id
LEFT JOIN webhooks w ON w.id = substr(d.target_id, length(d.handler) + 2) AND w.connector = d.handler

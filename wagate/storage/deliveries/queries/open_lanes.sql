-- OPEN_LANES: keys with open deliveries after a key, in order, each with its head; a slice of the sweep.
SELECT d.key, d.id, d.handler, d.target_id, d.mode, d.created_at
FROM (
  SELECT o.key, MIN(o.seq) AS seq FROM deliveries o WHERE o.settled = FALSE AND o.key > ?
  GROUP BY o.key ORDER BY o.key LIMIT ?
) h
JOIN deliveries d ON d.key = h.key AND d.seq = h.seq AND d.settled = FALSE
ORDER BY d.key

-- Only deliveries_open fits "settled = FALSE" alone. PostgreSQL takes a partial index for empty that was so when it last
-- looked, and then reads all of it for each chat; who asks by target says "seq > 0", which is always so.

DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (target_id, id, created_at) WHERE settled = FALSE AND seq > 0;
DROP INDEX deliveries_owed;
CREATE INDEX deliveries_owed ON deliveries (client_id, target_id) WHERE settled = FALSE AND seq > 0;

-- Of indexes that serve a query alike, SQLite takes the newest, as it keeps no figures here. Since 0029 that was all of a
-- target's deliveries, also for the few of them that wait or failed.

DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (target_id, id, created_at) WHERE settled = FALSE AND seq > 0;

DROP INDEX deliveries_failed;
CREATE INDEX deliveries_failed ON deliveries (target_id, id) WHERE status = 'failed';

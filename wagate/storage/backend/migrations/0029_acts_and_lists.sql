-- Deliveries that an act on all that match was refused for, the first thousand of each act.

CREATE TABLE bulk_refused (
  bulk_id TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (bulk_id, delivery_id)
);

-- What waits, in the order of the list: a page of it read all that waits, and looked up its rows. The last two columns
-- say what the condition says already; SQLite would look that up in the rows. "seq >= 1", which is always so, keeps it
-- from those who ask by target and say "seq > 0": see 0021.
CREATE INDEX deliveries_open_list ON deliveries (id, client_id, handler, account, seq, settled)
  WHERE settled = FALSE AND seq >= 1;

-- A target's deliveries are counted for a client by the index alone.
DROP INDEX deliveries_target;
CREATE INDEX deliveries_target ON deliveries (target_id, id, client_id);

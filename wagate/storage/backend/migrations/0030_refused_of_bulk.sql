-- Deliveries that an act on all that match was refused for, the first thousand of each act.

CREATE TABLE bulk_refused (
  bulk_id TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (bulk_id, delivery_id)
);

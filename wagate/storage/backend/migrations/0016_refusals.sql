-- Webhooks that were refused, by account and reason: who looks after a restart still sees them.

CREATE TABLE refusals (
  account_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  in_a_row INTEGER NOT NULL,
  times INTEGER NOT NULL,
  detail TEXT NOT NULL,
  first_at TIMESTAMPTZ NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account_id, reason)
);

-- What was delivered, tried and came in, by minute and by hour: charts never read deliveries.

CREATE TABLE minutes (
  subject TEXT NOT NULL,
  step INTEGER NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  client_id INTEGER NOT NULL,
  done INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  lag0 INTEGER NOT NULL,
  lag1 INTEGER NOT NULL,
  lag2 INTEGER NOT NULL,
  lag3 INTEGER NOT NULL,
  lag4 INTEGER NOT NULL,
  lag5 INTEGER NOT NULL,
  lag6 INTEGER NOT NULL,
  lag7 INTEGER NOT NULL,
  PRIMARY KEY (subject, step, at)
);
CREATE INDEX minutes_at ON minutes (step, at);

ALTER TABLE accounts ADD COLUMN last_in_at TIMESTAMPTZ;
ALTER TABLE accounts ADD COLUMN last_out_at TIMESTAMPTZ;

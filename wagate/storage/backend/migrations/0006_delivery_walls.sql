-- Rounds of attempts, deliveries that need somebody, and who is at work on what.

ALTER TABLE deliveries ADD COLUMN earlier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN stuck BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE deliveries ADD COLUMN claimed_by TEXT;
ALTER TABLE deliveries ADD COLUMN claimed_until TIMESTAMPTZ;
CREATE INDEX deliveries_stuck ON deliveries (client_id, id) WHERE stuck = TRUE;
ALTER TABLE targets ADD COLUMN probed_by TEXT;

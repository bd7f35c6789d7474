-- Targets that a person lets wait, and where a target's name and address for people come from.

ALTER TABLE targets ADD COLUMN paused_at TIMESTAMPTZ;
ALTER TABLE targets ADD COLUMN paused_by TEXT;
ALTER TABLE targets ADD COLUMN resumed_at TIMESTAMPTZ;

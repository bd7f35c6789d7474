-- What a client's link shows: all, deliveries (without texts) or state; links made before showed all.
ALTER TABLE links ADD COLUMN sees TEXT NOT NULL DEFAULT 'all';

-- Acts on all deliveries that match a filter: done in slices, kept over restarts.

CREATE TABLE bulk (
  id TEXT PRIMARY KEY NOT NULL,
  client_id INTEGER,
  who TEXT NOT NULL,
  verb TEXT NOT NULL,
  which TEXT NOT NULL,
  until TEXT NOT NULL,
  after TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'done')),
  done INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  total INTEGER NOT NULL,
  reasons TEXT NOT NULL,
  holder TEXT,
  held_until TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX bulk_running ON bulk (id) WHERE state = 'running';

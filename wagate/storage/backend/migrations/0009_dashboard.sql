-- Who is signed in to the dashboard, and who did what.

CREATE TABLE signins (
  hash TEXT PRIMARY KEY NOT NULL,
  token TEXT NOT NULL,
  address TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  kept BOOLEAN NOT NULL
);

CREATE TABLE audit (
  id TEXT PRIMARY KEY NOT NULL,
  client_id INTEGER,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  detail TEXT NOT NULL,
  address TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX audit_client ON audit (client_id, id);
CREATE INDEX audit_object ON audit (object, id);

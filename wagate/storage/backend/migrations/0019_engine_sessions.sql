-- The session whose events came first to an account that names none: those of others at its URL are kept apart.

CREATE TABLE engine_sessions (
  account_id TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
  session TEXT NOT NULL
);

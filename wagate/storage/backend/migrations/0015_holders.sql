-- Which process listens for an account whose provider hears by itself, and until when nobody else may.

CREATE TABLE holders (
  account_id TEXT PRIMARY KEY NOT NULL,
  holder TEXT NOT NULL,
  until TIMESTAMPTZ NOT NULL
);

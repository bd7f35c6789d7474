-- What each revision changed, so that a process takes up that and nothing else.

CREATE TABLE changes (
  revision BIGINT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (revision, kind, id)
);

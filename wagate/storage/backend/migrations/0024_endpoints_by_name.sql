-- Receivers of which there is nothing to say are shown by name: twelve of ten thousand are read, and none sorted.
CREATE INDEX webhooks_name ON webhooks (name, connector || ':' || id); -- sqlite
CREATE INDEX webhooks_name ON webhooks (name COLLATE "C", ((connector || ':' || id) COLLATE "C")); -- postgres

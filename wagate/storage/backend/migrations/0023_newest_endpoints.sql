-- A page of a connector's endpoints, newest first, is read from an index: all of them were sorted for each page.
CREATE INDEX webhooks_newest ON webhooks (connector, id);
CREATE INDEX webhooks_client_newest ON webhooks (client_id, connector, id);
DROP INDEX webhooks_client;

-- What only its connector knows about a webhook is one JSON document of the connector's own, with its version in it.

ALTER TABLE webhooks ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
UPDATE webhooks SET options = json_object('version', 1, 'format', format, 'headers', headers); -- sqlite
UPDATE webhooks SET options = json_build_object('version', 1, 'format', format, 'headers', headers)::text; -- postgres
ALTER TABLE webhooks DROP COLUMN format;
ALTER TABLE webhooks DROP COLUMN headers;

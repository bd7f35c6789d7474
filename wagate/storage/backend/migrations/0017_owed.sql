-- What is on its way to one client's targets: who looks at those reads no other client's.

CREATE INDEX deliveries_owed ON deliveries (client_id, target_id) WHERE settled = FALSE;
CREATE INDEX targets_client ON targets (client_id, id);

-- What one person did is read without a look at what all others did.
CREATE INDEX audit_who ON audit (who, id);

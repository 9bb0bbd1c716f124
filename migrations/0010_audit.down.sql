-- The way back from 0010_audit: rows stay, numbers and hashes go.
SET LOCAL search_path = dms, ext;
DROP TRIGGER audit_opened ON audit;
DROP FUNCTION audit_lag(), audit_checkpoint_due(interval, int), audit_seal(int), audit_opened(), audit_record(audit, bigint);
DROP TABLE audit_checkpoint, audit_chain, audit_open;
DROP POLICY sealing ON audit;
REVOKE SELECT ON audit FROM dms_search;
DROP INDEX audit_by_time, audit_by_object, audit_by_actor;
ALTER TABLE audit DROP COLUMN outcome, DROP COLUMN acting_for;

-- A row that is neither in the chain nor waits for it: put in past the trigger.
SELECT a.id FROM audit a
WHERE a.tenant_id = current_setting('app.tenant_id')::uuid
  AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.tenant_id = a.tenant_id AND c.audit_id = a.id)
  AND NOT EXISTS (SELECT 1 FROM audit_open o WHERE o.tenant_id = a.tenant_id AND o.audit_id = a.id)
LIMIT 1

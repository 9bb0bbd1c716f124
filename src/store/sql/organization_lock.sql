-- The organization, held until the end of the transaction against everybody else who changes it, its members or its roles.
SELECT t.name, t.revision, t.require_mfa, t.deletes_at IS NOT NULL AS closing FROM tenant t
WHERE t.tenant_id = current_setting('app.tenant_id')::uuid FOR NO KEY UPDATE

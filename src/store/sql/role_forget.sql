-- Invitations to a role that nobody can accept any more do not hold it.
UPDATE invitation SET revoked_at = now(), role_id = NULL
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND role_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at <= now()

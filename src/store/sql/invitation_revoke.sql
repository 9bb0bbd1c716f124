-- Withdraws an open invitation.
UPDATE invitation SET revoked_at = now(), role_id = NULL
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND accepted_at IS NULL AND revoked_at IS NULL
RETURNING email

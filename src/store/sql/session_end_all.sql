-- Ends all sessions of who asks in this organisation; but $1, unless that is null.
UPDATE session SET revoked_at = now(), revoked_reason = 'signed out'
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = current_setting('app.user_id')::uuid AND revoked_at IS NULL AND expires_at > now()
  AND id IS DISTINCT FROM $1
RETURNING id

-- Ends session $1, or with $2 all of this person in this organisation.
UPDATE session SET revoked_at = now(), revoked_reason = 'signed out'
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = current_setting('app.user_id')::uuid
  AND (id = $1 OR $2::boolean) AND revoked_at IS NULL
RETURNING id

-- Ends session $1 of who asks. By its key alone, as in get_principal_of_session.
UPDATE session SET revoked_at = now(), revoked_reason = 'signed out'
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND user_id IS NOT DISTINCT FROM current_setting('app.user_id')::uuid
  AND num_nulls(revoked_at) = 1 AND expires_at > now()
RETURNING id

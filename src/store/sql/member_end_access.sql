-- Ends a member's sessions and API keys, so that what they hold is worth nothing; the ids of both, for the credential cache.
WITH s AS (UPDATE session SET revoked_at = now(), revoked_reason = $2
           WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1 AND revoked_at IS NULL RETURNING id),
k AS (UPDATE api_key SET revoked_at = now() WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1 AND revoked_at IS NULL RETURNING id)
SELECT id FROM s UNION ALL SELECT id FROM k

-- The answer kept for a key, if any; locked false: another request with this key is at work.
SELECT pg_try_advisory_xact_lock(hashtextextended(current_setting('app.tenant_id') || '|' || $1::text || '|' || $2::text || '|' || $3::text, 1)) AS locked,
       i.fingerprint, i.status, i.location, i.body
FROM (SELECT 1) one LEFT JOIN idempotency i ON i.tenant_id = current_setting('app.tenant_id')::uuid AND i.user_id = $1::uuid
     AND i.route = $2 AND i.key = $3 AND i.created_at > now() - interval '24 hours'

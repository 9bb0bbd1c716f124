-- Notes that a key is in use, at most once a minute.
UPDATE api_key SET last_used_at = now()
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')

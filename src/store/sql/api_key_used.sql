-- Notes that a key is in use, at most twice a minute; get_principal_of_key trusts the note for a whole one, so that it never runs out between the two.
UPDATE api_key SET last_used_at = now()
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '30 seconds')

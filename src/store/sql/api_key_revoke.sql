-- The key stops working; its row stays for the record.
UPDATE api_key SET revoked_at = now() WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND revoked_at IS NULL
RETURNING json_build_object('id', id, 'name', name, 'prefix', prefix, 'scopes', scopes, 'revoked_at', NULL)::text AS before

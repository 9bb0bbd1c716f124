-- A new API key; the secret itself is not stored.
INSERT INTO api_key AS k (tenant_id, id, user_id, name, kind, prefix, secret_hash, scopes, expires_at)
VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3, $4, $5, $6::bytea, $7::text[], $8::timestamptz)
RETURNING json_build_object('id', k.id, 'name', k.name, 'type', k.kind, 'prefix', k.prefix, 'scopes', k.scopes,
    'created_at', k.created_at, 'expires_at', k.expires_at, 'last_used_at', k.last_used_at) AS body

-- A new API key; the secret itself is not stored.
INSERT INTO api_key AS k (tenant_id, id, user_id, name, kind, prefix, secret_hash, scopes, expires_at, allowed_ips)
VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3, $4, $5, $6::bytea, $7::text[], $8::timestamptz, $9::cidr[])
RETURNING api_key_json(k)::text AS body

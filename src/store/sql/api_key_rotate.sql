-- The successor $2 of key $1, with its rights and as long a life; the old one works for $5 seconds more, or till its own end if that is sooner.
WITH made AS (
    INSERT INTO api_key (tenant_id, id, user_id, name, kind, prefix, secret_hash, scopes, allowed_ips, expires_at)
    SELECT o.tenant_id, $2, o.user_id, o.name, o.kind, $3, $4::bytea, o.scopes, o.allowed_ips, now() + (o.expires_at - o.created_at)
    FROM api_key o WHERE o.tenant_id = current_setting('app.tenant_id')::uuid AND o.id = $1
    RETURNING *),
old AS (
    UPDATE api_key SET replaced_by = $2, expires_at = least(expires_at, now() + $5::int * interval '1 second')
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1
    RETURNING id, expires_at)
SELECT api_key_json(made)::text AS body, json_build_object('id', old.id, 'expires_at', old.expires_at)::text AS replaces
FROM made, old

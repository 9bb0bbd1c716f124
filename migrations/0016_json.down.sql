-- 0016_json, back.
SET LOCAL search_path = dms, ext;
DROP FUNCTION audit_json(audit), job_json(job);
CREATE OR REPLACE FUNCTION api_key_json(k api_key) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', k.id, 'name', k.name, 'type', k.kind, 'prefix', k.prefix, 'scopes', k.scopes, 'allowed_ips', k.allowed_ips,
        'state', CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' WHEN k.replaced_by IS NOT NULL THEN 'retiring'
                      ELSE 'active' END,
        'replaced_by', k.replaced_by, 'created_at', k.created_at, 'expires_at', k.expires_at, 'last_used_at', k.last_used_at)
$$;

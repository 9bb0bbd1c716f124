-- 0011_api_keys: where a key may be used from, and what it was replaced by.
SET LOCAL search_path = dms, ext;

ALTER TABLE api_key
    ADD COLUMN allowed_ips cidr[] CHECK (cardinality(allowed_ips) BETWEEN 1 AND 64), -- NULL: from everywhere
    ADD COLUMN replaced_by uuid,                                                     -- its successor; it still works until expires_at
    ADD FOREIGN KEY (tenant_id, replaced_by) REFERENCES api_key;
CREATE INDEX api_key_by_successor ON api_key (tenant_id, replaced_by) WHERE replaced_by IS NOT NULL; -- for that foreign key

-- A key as the outside sees it; the one place that says so. Inlined into the statements that use it.
CREATE FUNCTION api_key_json(k api_key) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', k.id, 'name', k.name, 'type', k.kind, 'prefix', k.prefix, 'scopes', k.scopes, 'allowed_ips', k.allowed_ips,
        'state', CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' WHEN k.replaced_by IS NOT NULL THEN 'retiring'
                      ELSE 'active' END,
        'replaced_by', k.replaced_by, 'created_at', k.created_at, 'expires_at', k.expires_at, 'last_used_at', k.last_used_at)
$$;
GRANT EXECUTE ON FUNCTION api_key_json(api_key) TO dms_app;

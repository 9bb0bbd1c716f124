-- The organization of whoever asks.
SELECT json_build_object('id', t.tenant_id, 'name', t.name, 'plan', t.plan, 'require_mfa', t.require_mfa, 'created_at', t.created_at,
           'deletes_at', t.deletes_at)::text AS body, t.revision AS etag
FROM tenant t WHERE t.tenant_id = current_setting('app.tenant_id')::uuid

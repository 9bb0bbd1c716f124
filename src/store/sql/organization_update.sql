-- Changes what is not null.
UPDATE tenant t SET name = coalesce($1, t.name), require_mfa = coalesce($2::boolean, t.require_mfa), revision = t.revision + 1
WHERE t.tenant_id = current_setting('app.tenant_id')::uuid
RETURNING json_build_object('id', t.tenant_id, 'name', t.name, 'plan', t.plan, 'require_mfa', t.require_mfa, 'created_at', t.created_at,
              'deletes_at', t.deletes_at)::text AS body, t.revision AS etag

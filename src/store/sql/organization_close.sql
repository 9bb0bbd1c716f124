-- To be deleted in $1 days. Asked twice, the first time counts.
UPDATE tenant t SET deletes_at = coalesce(t.deletes_at, now() + $1::int * interval '1 day'), revision = t.revision + 1
WHERE t.tenant_id = current_setting('app.tenant_id')::uuid
RETURNING json_build_object('id', t.tenant_id, 'name', t.name, 'plan', t.plan, 'require_mfa', t.require_mfa, 'created_at', t.created_at,
              'deletes_at', t.deletes_at)::text AS body, t.revision AS etag, to_char(t.deletes_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day

-- A folder, at the top or below $3; deeper than the table allows fails its check.
INSERT INTO folder AS f (tenant_id, id, name, parent_id, depth, created_by)
SELECT current_setting('app.tenant_id')::uuid, $1, $2, $3::uuid, coalesce(p.depth, 0) + 1, current_setting('app.user_id')::uuid
FROM (SELECT 1) one LEFT JOIN folder p ON p.tenant_id = current_setting('app.tenant_id')::uuid AND p.id = $3::uuid
RETURNING json_build_object('id', f.id, 'name', f.name, 'parent_id', f.parent_id, 'created_at', f.created_at, 'updated_at', f.updated_at)::text AS body,
    f.revision AS etag

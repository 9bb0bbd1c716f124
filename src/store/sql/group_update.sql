-- Gives a group another name.
UPDATE member_group g SET name = $2, revision = g.revision + 1, updated_at = now()
WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = $1
RETURNING json_build_object('id', g.id, 'name', g.name, 'created_at', g.created_at, 'updated_at', g.updated_at)::text AS body, g.revision AS etag

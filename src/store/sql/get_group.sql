-- One group.
SELECT json_build_object('id', g.id, 'name', g.name, 'created_at', g.created_at, 'updated_at', g.updated_at)::text AS body, g.revision AS etag
FROM member_group g WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = $1

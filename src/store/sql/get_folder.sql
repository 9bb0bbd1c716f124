-- One folder.
SELECT json_build_object('id', f.id, 'name', f.name, 'parent_id', f.parent_id, 'created_at', f.created_at, 'updated_at', f.updated_at)::text AS body,
       f.revision AS etag
FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1

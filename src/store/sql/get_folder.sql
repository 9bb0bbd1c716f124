-- One folder.
SELECT folder_json(f)::text AS body, f.revision AS etag
FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1

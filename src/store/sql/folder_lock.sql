-- The folder before a change, locked until the end of the transaction; none for whoever may not change it.
SELECT f.revision AS etag, f.parent_id, f.acl_id, folder_json(f)::text AS body
FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1 FOR UPDATE

-- A folder's new name, if one is given.
UPDATE folder AS f SET name = coalesce($2, name), revision = revision + 1, updated_at = now()
WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1
RETURNING folder_json(f)::text AS body, f.revision AS etag

-- An empty folder goes; a full one is kept by its foreign keys.
DELETE FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1
  AND NOT EXISTS (SELECT 1 FROM folder c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.parent_id = $1)
  AND NOT EXISTS (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.folder_id = $1)
RETURNING json_build_object('id', f.id, 'name', f.name, 'parent_id', f.parent_id)::text AS before

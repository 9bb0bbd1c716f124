-- An empty folder goes; a full one is kept by its foreign keys.
DELETE FROM folder WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1
  AND NOT EXISTS (SELECT 1 FROM folder c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.parent_id = $1)
  AND NOT EXISTS (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.folder_id = $1)

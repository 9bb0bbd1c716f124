-- Whether there is such a folder.
SELECT 1 AS one FROM folder WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1

-- A role of the organization's own, with its permissions.
DELETE FROM role WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1

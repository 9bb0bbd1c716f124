-- How a member is called in this organization.
UPDATE membership SET name = $2 WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1 AND name <> $2

-- One role of the organization's own, as it is before a change, and its permissions.
SELECT r.name, r.revision AS etag, coalesce((SELECT string_agg(p.permission, ',') FROM role_permission p
           WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.role_id = r.id), '') AS permissions
FROM role r WHERE r.tenant_id = current_setting('app.tenant_id')::uuid AND r.id = $1

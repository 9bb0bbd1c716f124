-- The organization's own roles with their permissions, by name; there are at most 100.
SELECT coalesce(json_agg(json_build_object('id', r.id, 'name', r.name, 'description', r.description, 'built_in', false,
           'permissions', ARRAY(SELECT p.permission FROM role_permission p JOIN permission x ON x.name = p.permission
                                WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.role_id = r.id ORDER BY x.bit))
           ORDER BY lower(r.name)), '[]')::text AS roles
FROM role r WHERE r.tenant_id = current_setting('app.tenant_id')::uuid

-- One role as the outside sees it.
SELECT json_build_object('id', r.id, 'name', r.name, 'description', r.description, 'built_in', false,
           'permissions', ARRAY(SELECT p.permission FROM role_permission p JOIN permission x ON x.name = p.permission
                                WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.role_id = r.id ORDER BY x.bit))::text AS body, r.revision AS etag
FROM role r WHERE r.tenant_id = current_setting('app.tenant_id')::uuid AND r.id = $1

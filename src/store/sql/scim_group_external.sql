-- What the directory calls a group; null: nothing.
INSERT INTO scim_group (tenant_id, group_id, external_id)
SELECT g.tenant_id, g.id, $2 FROM member_group g WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = $1
ON CONFLICT (tenant_id, group_id) DO UPDATE SET external_id = excluded.external_id

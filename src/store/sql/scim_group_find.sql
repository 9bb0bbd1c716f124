-- A group that is about to change.
SELECT g.name, s.external_id FROM member_group g LEFT JOIN scim_group s ON s.tenant_id = g.tenant_id AND s.group_id = g.id
WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = $1 FOR UPDATE OF g

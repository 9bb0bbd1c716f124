-- Gives a role these permissions and no others.
WITH gone AS (
    DELETE FROM role_permission WHERE tenant_id = current_setting('app.tenant_id')::uuid AND role_id = $1 AND NOT permission = ANY ($2::text[]))
INSERT INTO role_permission (tenant_id, role_id, permission)
SELECT current_setting('app.tenant_id')::uuid, $1, p FROM unnest($2::text[]) p ON CONFLICT DO NOTHING

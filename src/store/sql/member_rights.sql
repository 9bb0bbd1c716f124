-- What a member may do, as it stands now: the role, and of a role of the organization's own its permissions. No row: no member. num_nulls keeps a planner
-- without statistics from going through all members along a partial index; so it does in other statements.
SELECT m.role, CASE WHEN m.role_id IS NOT NULL THEN (
           SELECT string_agg(p.permission, ',') FROM role_permission p WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.role_id = m.role_id) END AS permissions
FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = $1 AND num_nulls(m.removed_at) = 1

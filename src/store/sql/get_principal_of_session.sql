-- What a token's session may do, as long as it lasts and its holder is a member. Each table by its own key; IS NOT DISTINCT FROM and num_nulls keep a planner
-- without statistics from going through all sessions of the person. permissions: of a role of the organization's own; nobody else pays for them.
SELECT m.role, t.plan, t.require_mfa AND NOT s.second_factor AS must_enrol, t.deletes_at IS NOT NULL AS closing, my_access() AS access, CASE WHEN m.role_id IS NOT NULL THEN (
           SELECT string_agg(p.permission, ',') FROM role_permission p WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.role_id = m.role_id) END AS permissions
FROM session s, membership m, tenant t
WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.id = $1 AND s.user_id IS NOT DISTINCT FROM $2 AND num_nulls(s.revoked_at) = 1 AND s.expires_at > now()
  AND m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = $2 AND num_nulls(m.removed_at) = 1 AND t.tenant_id = current_setting('app.tenant_id')::uuid

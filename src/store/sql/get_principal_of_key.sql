-- What an API key that was known a moment ago may do. Nothing also when its use has to be noted again: auth_key and api_key_used do both.
-- num_nulls keeps a planner without statistics from going through all live keys. permissions: of a role of the organization's own.
SELECT k.kind, array_to_string(k.scopes, ',') AS scopes, array_to_string(k.allowed_ips, ',') AS allowed_ips, m.role, t.plan, t.deletes_at IS NOT NULL AS closing, my_access() AS access, CASE WHEN m.role_id IS NOT NULL THEN (
           SELECT string_agg(p.permission, ',') FROM role_permission p WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.role_id = m.role_id) END AS permissions
FROM api_key k, membership m, tenant t
WHERE k.tenant_id = current_setting('app.tenant_id')::uuid AND k.id = $1 AND k.user_id = $2
  AND num_nulls(k.revoked_at) = 1 AND (k.expires_at IS NULL OR k.expires_at > now()) AND k.last_used_at > now() - interval '1 minute'
  AND m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = $2 AND num_nulls(m.removed_at) = 1 AND t.tenant_id = current_setting('app.tenant_id')::uuid

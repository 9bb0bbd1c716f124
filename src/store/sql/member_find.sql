-- One member, for a change of their role or their leaving.
SELECT m.name, m.email, m.role, m.role_id FROM membership m
WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = $1 AND num_nulls(m.removed_at) = 1

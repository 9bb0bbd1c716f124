-- Puts a member into a group; being there already is no error.
INSERT INTO group_member (tenant_id, group_id, user_id)
SELECT current_setting('app.tenant_id')::uuid, $1, m.user_id FROM membership m
WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = $2 AND num_nulls(m.removed_at) = 1
ON CONFLICT DO NOTHING

-- Puts members into a group; who is deactivated is passed over. Each by the primary key: LIMIT keeps the planner from reading all members.
INSERT INTO group_member (tenant_id, group_id, user_id)
SELECT m.tenant_id, $1, m.user_id FROM unnest($2::uuid[]) u (id) CROSS JOIN LATERAL (
    SELECT * FROM membership w WHERE w.tenant_id = current_setting('app.tenant_id')::uuid AND w.user_id = u.id LIMIT 1) m
WHERE m.removed_at IS NULL
ON CONFLICT DO NOTHING

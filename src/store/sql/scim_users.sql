-- A page of the members as SCIM resources: $1 passed over, $2 shown, $3 base, $4 only, $5 without. The total counts what it tells.
WITH page AS (
    SELECT m.user_id, m.created_at FROM membership m
    WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND (m.removed_at IS NULL OR EXISTS (SELECT FROM scim_user s WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.user_id = m.user_id))
    ORDER BY m.created_at, m.user_id OFFSET $1::int LIMIT $2::int)
SELECT coalesce((SELECT jsonb_agg(scim_pick(scim_user_json(current_setting('app.tenant_id')::uuid, p.user_id, $3), $4::text[], $5::text[]) ORDER BY p.created_at, p.user_id) FROM page p), '[]')::text AS resources,
    (SELECT count(*) FROM page) AS shown,
    (SELECT count(*) FROM membership m
     WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND (m.removed_at IS NULL OR EXISTS (SELECT FROM scim_user s WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.user_id = m.user_id))) AS total

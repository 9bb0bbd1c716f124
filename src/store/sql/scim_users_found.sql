-- The members of whom an attribute ($1, lower case) is equal to $2, as scim_users. Each branch enters an index of its own.
WITH found AS (
    SELECT m.user_id FROM membership m WHERE $1 = 'id' AND m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = CASE WHEN $1 = 'id' THEN $2::text::uuid END
    UNION
    SELECT s.user_id FROM scim_user s WHERE $1 = 'username' AND s.tenant_id = current_setting('app.tenant_id')::uuid AND lower(s.user_name) = lower($2)
    UNION
    SELECT m.user_id FROM membership m WHERE $1 = 'username' AND m.tenant_id = current_setting('app.tenant_id')::uuid AND m.email = lower($2) AND num_nulls(m.removed_at) = 1
        AND (SELECT 1 FROM scim_user s WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.user_id = m.user_id LIMIT 1) IS NULL
    UNION
    SELECT s.user_id FROM scim_user s WHERE $1 = 'externalid' AND s.tenant_id = current_setting('app.tenant_id')::uuid AND s.external_id = $2
    UNION
    SELECT m.user_id FROM membership m WHERE $1 = 'emails' AND m.tenant_id = current_setting('app.tenant_id')::uuid AND m.email = lower($2) AND num_nulls(m.removed_at) = 1
), shown AS (
    SELECT f.user_id, scim_user_json(current_setting('app.tenant_id')::uuid, f.user_id, $5) AS body FROM found f
), page AS (
    SELECT s.user_id, s.body FROM shown s WHERE s.body IS NOT NULL ORDER BY s.user_id OFFSET $3::int LIMIT $4::int)
SELECT coalesce((SELECT jsonb_agg(scim_pick(p.body, $6::text[], $7::text[]) ORDER BY p.user_id) FROM page p), '[]')::text AS resources,
    (SELECT count(*) FROM page) AS shown, (SELECT count(*) FROM shown s WHERE s.body IS NOT NULL) AS total

-- A member as the directory knows them, for a change: SCIM's attributes as they are; removed: deactivated. No row: nobody that SCIM shows.
SELECT m.role, m.removed_at IS NOT NULL AS removed, coalesce(s.user_name, m.email) AS user_name, s.external_id, coalesce(s.email, m.email) AS email,
    CASE WHEN s.user_id IS NULL THEN m.name ELSE s.display_name END AS display_name, s.formatted, s.given_name, s.family_name, s.active
FROM membership m LEFT JOIN scim_user s ON s.tenant_id = m.tenant_id AND s.user_id = m.user_id
WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = $1 AND (m.removed_at IS NULL OR s.user_id IS NOT NULL)

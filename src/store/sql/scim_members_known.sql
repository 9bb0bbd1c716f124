-- How many of these are nobody whom SCIM shows. Each by the primary key, as in scim_group_add.
SELECT count(*) AS unknown FROM unnest($1::uuid[]) u (id)
    LEFT JOIN LATERAL (SELECT * FROM membership w WHERE w.tenant_id = current_setting('app.tenant_id')::uuid AND w.user_id = u.id LIMIT 1) m ON true
    LEFT JOIN LATERAL (SELECT * FROM scim_user w WHERE w.tenant_id = current_setting('app.tenant_id')::uuid AND w.user_id = u.id LIMIT 1) s ON true
WHERE m.user_id IS NULL OR (m.removed_at IS NOT NULL AND s.user_id IS NULL)

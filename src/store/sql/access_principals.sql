-- The ids under which access is granted to those that are named ($1 types, $2 an id, or the name of a role of every organization), in their order; null:
-- there is none in this organization. num_nulls: see principals_of.
SELECT u.at, CASE u.type
    WHEN 'user' THEN (SELECT m.user_id FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = i.id AND num_nulls(m.removed_at) = 1)
    WHEN 'group' THEN (SELECT g.id FROM member_group g WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = i.id)
    ELSE coalesce(role_principal(u.name), (SELECT r.id FROM role r WHERE r.tenant_id = current_setting('app.tenant_id')::uuid AND r.id = i.id)) END AS id
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u(type, name, at)
CROSS JOIN LATERAL (SELECT CASE WHEN u.name ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' THEN u.name::uuid END AS id OFFSET 0) i
ORDER BY u.at

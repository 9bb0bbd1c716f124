-- A page of the groups: $1 attribute (null: all) equal to $2, $3 passed over, $4 shown, $5 base, $6 only, $7 without.
WITH found AS (
    SELECT g.id, g.created_at FROM member_group g WHERE $1::text IS NULL AND g.tenant_id = current_setting('app.tenant_id')::uuid
    UNION ALL
    SELECT g.id, g.created_at FROM member_group g WHERE $1 = 'id' AND g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = CASE WHEN $1 = 'id' THEN $2::text::uuid END
    UNION ALL
    SELECT g.id, g.created_at FROM member_group g WHERE $1 = 'displayname' AND g.tenant_id = current_setting('app.tenant_id')::uuid AND g.name = $2
    UNION ALL
    SELECT g.id, g.created_at FROM scim_group s JOIN member_group g ON g.tenant_id = s.tenant_id AND g.id = s.group_id
    WHERE $1 = 'externalid' AND s.tenant_id = current_setting('app.tenant_id')::uuid AND s.external_id = $2
), page AS (
    SELECT f.id, f.created_at FROM found f ORDER BY f.created_at, f.id OFFSET $3::int LIMIT $4::int)
SELECT coalesce((SELECT jsonb_agg(scim_pick(scim_group_json(current_setting('app.tenant_id')::uuid, p.id, $5), $6::text[], $7::text[]) ORDER BY p.created_at, p.id) FROM page p), '[]')::text AS resources,
    (SELECT count(*) FROM page) AS shown, (SELECT count(*) FROM found) AS total

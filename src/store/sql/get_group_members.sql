-- A page of the members of a group, by id. Names are looked up for the page alone.
WITH page AS (
    SELECT x.user_id, row_number() OVER (ORDER BY x.user_id) AS n
    FROM group_member x
    WHERE x.tenant_id = current_setting('app.tenant_id')::uuid AND x.group_id = $1
      AND x.user_id > CASE WHEN $3::uuid IS NULL THEN '00000000-0000-0000-0000-000000000000' ELSE $3 END AND ($4::text IS NULL OR true)
    ORDER BY x.user_id LIMIT $2::int + 1)
SELECT coalesce(json_agg((SELECT json_build_object('user_id', m.user_id, 'name', m.name, 'email', m.email) FROM membership m
                          WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = p.user_id) ORDER BY p.n)
           FILTER (WHERE p.n <= $2::int), '[]') AS items,
       CASE WHEN count(*) > $2::int THEN max(p.user_id::text || '|' || '') FILTER (WHERE p.n = $2::int) END AS next_key, NULL::bigint AS total
FROM page p
HAVING EXISTS (SELECT 1 FROM member_group g WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = $1)

-- A page of the groups by name, along the index member_group_name.
WITH page AS (
    SELECT g.*, row_number() OVER (ORDER BY g.name, g.id) AS n FROM member_group g
    WHERE g.tenant_id = current_setting('app.tenant_id')::uuid
      AND (g.name, g.id) > (CASE WHEN $2::text IS NULL THEN '' ELSE $2 END,
                            CASE WHEN $3::uuid IS NULL THEN '00000000-0000-0000-0000-000000000000' ELSE $3 END)
    ORDER BY g.name, g.id LIMIT $1::int + 1)
SELECT coalesce(json_agg(json_build_object('id', p.id, 'name', p.name, 'created_at', p.created_at, 'updated_at', p.updated_at) ORDER BY p.n)
           FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.name || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       NULL::bigint AS total
FROM page p

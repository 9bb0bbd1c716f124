-- A page of the members, in the order in which they joined, along the index membership_by_time.
WITH page AS (
    SELECT m.*, row_number() OVER (ORDER BY m.created_at, m.user_id) AS n FROM membership m
    WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.removed_at IS NULL
      AND (m.created_at, m.user_id) > (CASE WHEN $2::timestamptz IS NULL THEN '-infinity' ELSE $2 END,
                                       CASE WHEN $3::uuid IS NULL THEN '00000000-0000-0000-0000-000000000000' ELSE $3 END)
    ORDER BY m.created_at, m.user_id LIMIT $1::int + 1)
SELECT coalesce(json_agg(json_build_object('user_id', p.user_id, 'name', p.name, 'email', p.email, 'role', p.role, 'role_id', p.role_id,
           'role_name', coalesce(r.name, p.role), 'mfa', EXISTS (SELECT FROM second_factor_state(p.user_id)), 'created_at', p.created_at, 'last_sign_in_at', p.last_sign_in_at) ORDER BY p.n)
           FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.created_at::text || '|' || p.user_id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       NULL::bigint AS total
FROM page p LEFT JOIN role r ON r.tenant_id = current_setting('app.tenant_id')::uuid AND r.id = p.role_id

-- The open sessions of who asks, in this organisation, newest first, along the index session_by_time. $4: the session that asks; a key is none, and
-- sees none.
WITH page AS (
    SELECT s.*, row_number() OVER (ORDER BY s.created_at DESC, s.id DESC) AS n FROM session s
    WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.user_id = current_setting('app.user_id')::uuid AND s.revoked_at IS NULL
      AND s.expires_at > now()
      AND EXISTS (SELECT FROM session me WHERE me.tenant_id = current_setting('app.tenant_id')::uuid AND me.id = $4::uuid)
      AND (s.created_at, s.id) < (CASE WHEN $2::timestamptz IS NULL THEN 'infinity' ELSE $2 END,
                                  CASE WHEN $3::uuid IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE $3 END)
    ORDER BY s.created_at DESC, s.id DESC LIMIT $1::int + 1)
SELECT coalesce(json_agg(json_build_object('id', p.id, 'created_at', p.created_at, 'last_used_at', p.rotated_at, 'expires_at', p.expires_at, 'ip', p.ip,
           'user_agent', p.user_agent, 'second_factor', p.second_factor, 'current', p.id = $4::uuid) ORDER BY p.n)
           FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.created_at::text || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       NULL::bigint AS total
FROM page p

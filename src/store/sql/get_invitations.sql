-- A page of the open invitations, oldest first, along the index invitation_by_time; also those that have expired and wait to be sent again.
WITH page AS (
    SELECT i.*, row_number() OVER (ORDER BY i.created_at, i.id) AS n FROM invitation i
    WHERE i.tenant_id = current_setting('app.tenant_id')::uuid AND i.accepted_at IS NULL AND i.revoked_at IS NULL
      AND (i.created_at, i.id) > (CASE WHEN $2::timestamptz IS NULL THEN '-infinity' ELSE $2 END,
                                  CASE WHEN $3::uuid IS NULL THEN '00000000-0000-0000-0000-000000000000' ELSE $3 END)
    ORDER BY i.created_at, i.id LIMIT $1::int + 1)
SELECT coalesce(json_agg(json_build_object('id', p.id, 'email', p.email, 'role', p.role, 'role_id', p.role_id,
           'invited_by', json_build_object('id', p.invited_by, 'name',
               (SELECT m.name FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = p.invited_by)), 'created_at', p.created_at, 'expires_at', p.expires_at) ORDER BY p.n)
           FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.created_at::text || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       NULL::bigint AS total
FROM page p

-- The tenant's API keys that were not revoked, newest first, along the index api_key_by_time.
WITH page AS (
    SELECT k AS key, k.id, k.created_at, row_number() OVER (ORDER BY k.created_at DESC, k.id DESC) AS n FROM api_key k
    WHERE k.tenant_id = current_setting('app.tenant_id')::uuid AND k.revoked_at IS NULL
      AND (k.created_at, k.id) < (CASE WHEN $2::timestamptz IS NULL THEN 'infinity' ELSE $2 END,
                                  CASE WHEN $3::uuid IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE $3 END)
    ORDER BY k.created_at DESC, k.id DESC LIMIT $1::int + 1)
SELECT coalesce(json_agg(api_key_json(p.key) ORDER BY p.n) FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.created_at::text || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       NULL::bigint AS total
FROM page p

-- What actor $5 did, newest first, along the index audit_by_actor; else as get_audit.
WITH page AS (
    SELECT s.*, row_number() OVER () AS n FROM (
        SELECT a AS entry, a.at, a.id FROM audit a
        WHERE a.tenant_id = current_setting('app.tenant_id')::uuid AND a.actor_id = $5::uuid AND ($4::text IS NULL OR a.action = $4)
          AND ($6::text IS NULL OR a.object_type = $6) AND ($7::uuid IS NULL OR a.object_id = $7)
          AND a.at >= CASE WHEN $8::timestamptz IS NULL THEN '-infinity' ELSE $8 END AND a.at < CASE WHEN $9::timestamptz IS NULL THEN 'infinity' ELSE $9 END
          AND (a.at, a.id) < (CASE WHEN $2::timestamptz IS NULL THEN 'infinity' ELSE $2 END,
                              CASE WHEN $3::uuid IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE $3 END)
        ORDER BY a.at DESC, a.id DESC LIMIT $1::int + 1) s)
SELECT coalesce(json_agg(audit_json(p.entry) ORDER BY p.n) FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.at::text || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key, NULL::bigint AS total
FROM page p

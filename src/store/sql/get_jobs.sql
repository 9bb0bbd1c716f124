-- A page of the tenant's jobs, newest first. Those of documents that the person may not see are passed over, of at most 1,000 jobs a page: then it is
-- short, and the next one goes on behind the last that was looked at.
WITH page AS (
    SELECT l.*, row_number() OVER () AS n FROM (
        SELECT s.*, v.shown FROM (
            SELECT j AS entry, j.created_at, j.id, j.document_id, row_number() OVER (ORDER BY j.created_at DESC, j.id DESC) AS place FROM job j
            WHERE j.tenant_id = current_setting('app.tenant_id')::uuid AND ($4::text IS NULL OR j.state = $4)
              AND (j.created_at, j.id) < (CASE WHEN $2::timestamptz IS NULL THEN 'infinity' ELSE $2 END,
                                          CASE WHEN $3::uuid IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE $3 END)
            ORDER BY j.created_at DESC, j.id DESC LIMIT 1000) s
        CROSS JOIN LATERAL (SELECT s.document_id IS NULL OR (
            SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = s.document_id LIMIT 1) IS NOT NULL AS shown OFFSET 0) v
        WHERE v.shown OR s.place = 1000 ORDER BY s.created_at DESC, s.id DESC LIMIT $1::int + 1) l)
SELECT coalesce(json_agg(job_json(p.entry) ORDER BY p.n) FILTER (WHERE p.shown AND p.n <= $1::int), '[]') AS items,
       max(p.created_at::text || '|' || p.id::text) FILTER (WHERE p.n = CASE WHEN p.got > $1::int THEN $1::int WHEN p.place = 1000 THEN p.n END) AS next_key,
       NULL::bigint AS total
FROM (SELECT q.*, count(*) OVER () AS got FROM page q) p

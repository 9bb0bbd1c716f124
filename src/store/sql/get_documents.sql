-- A page of documents, newest first, along the index document_by_time. Filters that are null leave all in.
WITH page AS (
    SELECT d AS doc, m.name AS owner_name, d.created_at, d.id, row_number() OVER (ORDER BY d.created_at DESC, d.id DESC) AS n
    FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
    WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND (d.trashed_at IS NOT NULL) = $6::boolean
      AND ($2::timestamptz IS NULL OR (d.created_at, d.id) < ($2::timestamptz, $3::uuid))
      AND ($7::text IS NULL OR d.status = $7) AND ($8::uuid IS NULL OR d.folder_id = $8::uuid) AND ($9::text IS NULL OR $9 = ANY (d.tags))
    ORDER BY d.created_at DESC, d.id DESC LIMIT $1::int + 1)
SELECT coalesce(json_agg(document_json(p.doc, p.owner_name) ORDER BY p.n) FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.created_at::text || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       CASE WHEN $4::boolean AND $5::text IS NOT NULL THEN (
           SELECT count(*) FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND (d.trashed_at IS NOT NULL) = $6::boolean
             AND ($7::text IS NULL OR d.status = $7) AND ($8::uuid IS NULL OR d.folder_id = $8::uuid) AND ($9::text IS NULL OR $9 = ANY (d.tags)))
       END AS total
FROM page p

-- A page of the documents of folder $8, newest first, along the index document_by_folder; else as get_documents. In a folder that the person may not see
-- is nothing: so the statement does not pass over all of it.
WITH page AS (
    SELECT s.*, row_number() OVER () AS n FROM (
        SELECT document_json(d, m.name) AS item, d.created_at, d.id
        FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
        WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.trashed_at IS NULL AND d.folder_id = $8::uuid
          AND ($7::text IS NULL OR d.status = $7) AND ($9::text IS NULL OR $9 = ANY (d.tags))
          AND $5::text IS NOT NULL AND $6::boolean IS NOT NULL
          AND (SELECT 1 FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $8::uuid LIMIT 1) IS NOT NULL
          AND (d.created_at, d.id) < (CASE WHEN $2::timestamptz IS NULL THEN 'infinity' ELSE $2 END,
                                      CASE WHEN $3::uuid IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE $3 END)
        ORDER BY d.created_at DESC, d.id DESC LIMIT $1::int + 1) s)
SELECT coalesce(json_agg(p.item) FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.created_at::text || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       CASE WHEN $4::boolean THEN (
           SELECT count(*) FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.trashed_at IS NULL AND d.folder_id = $8
             AND (SELECT 1 FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $8::uuid LIMIT 1) IS NOT NULL
             AND ($7::text IS NULL OR d.status = $7) AND ($9::text IS NULL OR $9 = ANY (d.tags))) END AS total
FROM page p

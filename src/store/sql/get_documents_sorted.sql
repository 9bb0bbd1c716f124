-- A page of documents in another order than newest first: $5 is one of created_at updated_at title size, a minus before it turns it round.
WITH all_of_them AS (
    SELECT d AS doc, m.name AS owner_name, d.id,
           CASE ltrim($5, '-') WHEN 'title' THEN lower(d.title) WHEN 'updated_at' THEN to_char(d.updated_at, 'YYYY-MM-DD HH24:MI:SS.US')
                WHEN 'size' THEN lpad(d.size::text, 20, '0') ELSE to_char(d.created_at, 'YYYY-MM-DD HH24:MI:SS.US') END COLLATE "C" AS k
    FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
    WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND (d.trashed_at IS NOT NULL) = $6::boolean
      AND ($7::text IS NULL OR d.status = $7) AND ($8::uuid IS NULL OR d.folder_id = $8::uuid) AND ($9::text IS NULL OR $9 = ANY (d.tags))),
page AS (
    SELECT a.*, row_number() OVER (ORDER BY CASE WHEN $5 NOT LIKE '-%' THEN a.k END, CASE WHEN $5 LIKE '-%' THEN a.k END DESC, a.id) AS n
    FROM all_of_them a
    WHERE $2::text IS NULL OR CASE WHEN $5 LIKE '-%' THEN a.k < $2 COLLATE "C" ELSE a.k > $2 COLLATE "C" END OR a.k = $2 COLLATE "C" AND a.id > $3::uuid
    ORDER BY n LIMIT $1::int + 1)
SELECT coalesce(json_agg(document_json(p.doc, p.owner_name) ORDER BY p.n) FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.k || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       CASE WHEN $4::boolean THEN (SELECT count(*) FROM all_of_them) END AS total
FROM page p

-- What lies in folder $1: folders by name, then documents, newest first. The cursor's key is f and a name, or d and a time.
WITH child AS (
    (SELECT 0 AS kind, 'f' || f.name AS key, f.id, f.name AS name, NULL::timestamptz AS at, json_build_object('type', 'folder', 'folder', folder_json(f)) AS item
     FROM folder f
     WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.parent_id = $1
       AND ($3::text IS NULL OR $3 LIKE 'f%') AND f.name > CASE WHEN $3 LIKE 'f%' THEN substr($3, 2) ELSE '' END
     ORDER BY f.name LIMIT $2::int + 1)
    UNION ALL
    (SELECT 1, 'd' || d.created_at::text, d.id, NULL, d.created_at, json_build_object('type', 'document', 'document', document_json(d, m.name))
     FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
     WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.folder_id = $1 AND d.trashed_at IS NULL
       AND (d.created_at, d.id) < (CASE WHEN $3 LIKE 'd%' THEN substr($3, 2)::timestamptz ELSE 'infinity' END,
                                   CASE WHEN $3 LIKE 'd%' THEN $4::uuid ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff' END)
     ORDER BY d.created_at DESC, d.id DESC LIMIT $2::int + 1)),
page AS (
    SELECT c.*, row_number() OVER (ORDER BY c.kind, c.name, c.at DESC, c.id DESC) AS n FROM child c
    ORDER BY c.kind, c.name, c.at DESC, c.id DESC LIMIT $2::int + 1)
SELECT coalesce(json_agg(p.item ORDER BY p.n) FILTER (WHERE p.n <= $2::int), '[]') AS items,
       CASE WHEN count(*) > $2::int THEN max(p.key || '|' || p.id::text) FILTER (WHERE p.n = $2::int) END AS next_key, NULL::bigint AS total
FROM page p HAVING EXISTS (SELECT 1 FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1)

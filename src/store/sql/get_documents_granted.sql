-- As get_documents, for a person who may see few of the documents: from one acl to the next along the index document_by_acl, where what is open is
-- under the tenant's own id, instead of passing over all that is not seen.
WITH mine AS MATERIALIZED (
    SELECT lower(r) AS acl FROM unnest(my_acls(1)) r UNION ALL SELECT current_setting('app.tenant_id')::uuid WHERE by_role()),
near AS (
    SELECT k.created_at, k.id, row_number() OVER (ORDER BY k.created_at DESC, k.id DESC) AS n FROM mine a CROSS JOIN LATERAL (
        SELECT d.created_at, d.id FROM document d
        WHERE CASE WHEN d.acl_id IS NULL THEN d.tenant_id ELSE d.acl_id END = a.acl AND d.tenant_id = current_setting('app.tenant_id')::uuid
          AND d.trashed_at IS NULL
          AND ($7::text IS NULL OR d.status = $7) AND ($8::uuid IS NULL OR d.folder_id = $8) AND ($9::text IS NULL OR $9 = ANY (d.tags))
          AND $5::text IS NOT NULL AND $6::boolean IS NOT NULL
          AND (d.created_at, d.id) < (CASE WHEN $2::timestamptz IS NULL THEN 'infinity' ELSE $2 END,
                                      CASE WHEN $3::uuid IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE $3 END)
        ORDER BY d.created_at DESC, d.id DESC LIMIT $1::int + 1) k
    ORDER BY k.created_at DESC, k.id DESC LIMIT $1::int + 1),
page AS (
    SELECT t.created_at, t.id, t.n, y.item FROM near t CROSS JOIN LATERAL (
        SELECT document_json(d, m.name) AS item FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
        WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = t.id LIMIT 1) y)
SELECT coalesce(json_agg(p.item ORDER BY p.n) FILTER (WHERE p.n <= $1::int), '[]') AS items,
       CASE WHEN count(*) > $1::int THEN max(p.created_at::text || '|' || p.id::text) FILTER (WHERE p.n = $1::int) END AS next_key,
       CASE WHEN $4::boolean THEN (
           SELECT coalesce(sum(c.n), 0)::bigint FROM mine a CROSS JOIN LATERAL (
               SELECT count(*) AS n FROM document d
               WHERE CASE WHEN d.acl_id IS NULL THEN d.tenant_id ELSE d.acl_id END = a.acl AND d.tenant_id = current_setting('app.tenant_id')::uuid
                 AND d.trashed_at IS NULL AND ($7::text IS NULL OR d.status = $7) AND ($9::text IS NULL OR $9 = ANY (d.tags))) c) END AS total
FROM page p

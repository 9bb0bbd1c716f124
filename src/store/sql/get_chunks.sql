-- The passages of a document in order. The vectors are asked for one by one: of an EXISTS the planner may read them all beforehand.
-- sensitive: reading them is recorded (docs/audit.md).
WITH page AS (
    SELECT c.*, (SELECT 1 FROM embedding e WHERE e.tenant_id = c.tenant_id AND e.chunk_id = c.id LIMIT 1) IS NOT NULL AS embedded, row_number() OVER (ORDER BY c.ordinal) AS n
    FROM chunk c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.document_id = $1
      AND c.ordinal > CASE WHEN $3::int IS NULL THEN -1 ELSE $3 END AND ($4::text IS NULL OR true)
    ORDER BY c.ordinal LIMIT $2::int + 1)
SELECT coalesce(json_agg(json_build_object('id', p.id, 'document_id', p.document_id, 'version', p.version, 'ordinal', p.ordinal, 'page', p.page,
           'section', p.section, 'text', p.text, 'tokens', p.tokens, 'embedded', p.embedded) ORDER BY p.n) FILTER (WHERE p.n <= $2::int), '[]') AS items,
       CASE WHEN count(*) > $2::int THEN max(p.ordinal::text || '|' || '') FILTER (WHERE p.n = $2::int) END AS next_key, NULL::bigint AS total,
       $1::uuid AS document_id, (SELECT d.classification IN ('confidential', 'restricted') FROM document d
           WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1) AS sensitive
FROM page p HAVING EXISTS (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1)

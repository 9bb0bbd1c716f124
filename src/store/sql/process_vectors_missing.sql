-- The next passages of a document that have no vector of this model yet, in order. LIMIT for NOT EXISTS: see process_done.
SELECT c.id, c.ordinal, c.text, d.title
FROM chunk c JOIN document d ON d.tenant_id = c.tenant_id AND d.id = c.document_id AND d.version = c.version
WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.document_id = $1::uuid AND c.version = $2::int AND c.ordinal > $3::int
  AND (SELECT 1 FROM embedding e WHERE e.tenant_id = c.tenant_id AND e.model = $4 AND e.chunk_id = c.id LIMIT 1) IS NULL
ORDER BY c.ordinal LIMIT $5::int

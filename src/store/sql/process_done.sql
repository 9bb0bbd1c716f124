-- A document with all its vectors is done, unless it is of a newer version or read again by now. Each passage is asked for its vector, by LIMIT: of
-- NOT EXISTS the planner may read all vectors of the tenant.
UPDATE document d SET status = 'processed', processed_at = CASE WHEN d.status = 'processed' THEN d.processed_at ELSE now() END, processing_error = NULL
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1::uuid AND d.version = $2::int AND d.status IN ('processing', 'error', 'processed')
  AND (SELECT 1 FROM chunk c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.document_id = $1::uuid
       AND (SELECT 1 FROM embedding e WHERE e.tenant_id = c.tenant_id AND e.model = $3 AND e.chunk_id = c.id LIMIT 1) IS NULL LIMIT 1) IS NULL

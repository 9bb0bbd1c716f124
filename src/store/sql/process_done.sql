-- A document with all its vectors is done, unless it is of a newer version or read again by now.
UPDATE document d SET status = 'processed', processed_at = CASE WHEN d.status = 'processed' THEN d.processed_at ELSE now() END, processing_error = NULL
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1::uuid AND d.version = $2::int AND d.status IN ('processing', 'error', 'processed')
  AND NOT EXISTS (SELECT FROM chunk c WHERE c.tenant_id = d.tenant_id AND c.document_id = d.id
                  AND NOT EXISTS (SELECT FROM embedding e WHERE e.tenant_id = c.tenant_id AND e.model = $3 AND e.chunk_id = c.id))

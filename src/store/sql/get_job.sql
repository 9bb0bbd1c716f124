-- One job, of no document or of one that the person may see.
SELECT json_build_object('id', p.id, 'kind', p.kind, 'queue', p.queue, 'state', p.state, 'attempts', p.attempts,
           'document_id', p.document_id, 'version', p.version, 'error', p.error, 'created_at', p.created_at, 'run_at', p.run_at,
           'started_at', p.started_at, 'finished_at', p.finished_at)::text AS body
FROM job p WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.id = $1
  AND (p.document_id IS NULL
       OR (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = p.document_id LIMIT 1) IS NOT NULL)

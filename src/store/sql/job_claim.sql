-- Takes a job that is due, or whose worker let its lease run out. A document that is processed says so.
WITH taken AS (
    UPDATE job
    SET state = 'running', attempts = attempts + 1, fence = fence + 1, worker = $2,
        lease_until = clock_timestamp() + make_interval(secs => $3::int), started_at = now()
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid
      AND (state = 'queued' AND run_at <= now() OR state = 'running' AND lease_until < now())
    RETURNING kind, priority, attempts, fence, document_id, version, traceparent
), shown AS (
    UPDATE document d SET status = 'processing', processing_error = NULL
    FROM taken t
    WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = t.document_id AND d.version = t.version
      AND (d.status IN ('pending', 'error') OR d.status = 'processed' AND t.kind = 'document.process')
)
SELECT kind, priority, attempts, fence, document_id, version, traceparent FROM taken

-- A failed or cancelled job back into the queue, at once and with all its tries.
UPDATE job SET state = 'queued', attempts = 0, run_at = now(), error = NULL, finished_at = NULL, published_at = NULL
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND state IN ('failed', 'cancelled')
RETURNING kind, document_id, version, priority

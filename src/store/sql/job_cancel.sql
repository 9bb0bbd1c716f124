-- A job that has not ended will not be done; who has it in hand finds out at its next look. Its document says so.
WITH gone AS (
    UPDATE job SET state = 'cancelled', finished_at = now(), lease_until = NULL, error = '{"code": "cancelled", "message": "The job was cancelled.", "retryable": true}'
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND state IN ('queued', 'running')
    RETURNING id, document_id, version, attempts, error
), shown AS (
    UPDATE document d SET status = 'error', processing_error = g.error
    FROM gone g
    WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = g.document_id AND d.version = g.version AND d.status IN ('pending', 'processing')
), line AS (
    INSERT INTO job_event (tenant_id, document_id, version, job_id, attempt, step, detail)
    SELECT current_setting('app.tenant_id')::uuid, g.document_id, g.version, g.id, g.attempts, 'error', g.error FROM gone g WHERE g.document_id IS NOT NULL
)
SELECT document_id, version FROM gone

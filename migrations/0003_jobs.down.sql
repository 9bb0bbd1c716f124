-- The way back from 0003_jobs: the first job_due and its index.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;
DROP FUNCTION job_due(text[], int, interval);
DROP INDEX job_waiting, job_leased, job_queued;
CREATE INDEX job_open ON job (run_at) WHERE state IN ('queued', 'running');
ALTER TABLE document_version DROP COLUMN extracted;
CREATE FUNCTION job_due(p_limit int, p_resend interval)
RETURNS TABLE (tenant_id uuid, id uuid, kind text, queue text, priority int, attempts int, traceparent text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.job j SET published_at = now()
    FROM (SELECT d.tenant_id, d.id FROM dms.job d
          WHERE (d.state = 'queued' AND d.run_at <= now() OR d.state = 'running' AND d.lease_until < now())
            AND (d.published_at IS NULL OR d.published_at < now() - p_resend OR d.published_at < d.run_at)
          ORDER BY d.run_at LIMIT p_limit FOR UPDATE SKIP LOCKED) due
    WHERE j.tenant_id = due.tenant_id AND j.id = due.id
    RETURNING j.tenant_id, j.id, j.kind, j.queue, j.priority, j.attempts, j.traceparent
$$;
ALTER FUNCTION job_due(int, interval) OWNER TO dms_search;
REVOKE ALL ON FUNCTION job_due(int, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION job_due(int, interval) TO dms_app;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

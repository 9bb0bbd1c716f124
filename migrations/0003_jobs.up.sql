-- 0003_jobs: finding work that no message names, without looking at the whole backlog; and what was read out of each version, so that a
-- newer version's front matter replaces the older one's but nothing that a person gave. Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

ALTER TABLE document_version ADD COLUMN extracted jsonb; -- {"metadata", "tags", "type", "title", "version_label"} as read out of the file

DROP FUNCTION job_due(int, interval);
DROP INDEX job_open; -- one index for each of the three questions below
CREATE INDEX job_waiting ON job (run_at) WHERE state = 'queued' AND (published_at IS NULL OR published_at < run_at);
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_queued ON job (queue, priority, run_at) WHERE state = 'queued';

-- job_due: what should be sent to the workers (again), marked as sent: (1) its time has come since it was last sent, (2) it runs past its
-- lease, (3) only with p_resend: it was sent so long ago that the message must be lost.
CREATE FUNCTION job_due(p_queues text[], p_limit int, p_resend interval)
RETURNS TABLE (tenant_id uuid, id uuid, kind text, priority int, attempts int, traceparent text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    WITH timed AS (
        SELECT d.tenant_id, d.id FROM dms.job d
        WHERE d.state = 'queued' AND (d.published_at IS NULL OR d.published_at < d.run_at) AND d.run_at <= now() AND d.queue = ANY (p_queues)
        ORDER BY d.run_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), silent AS (
        SELECT d.tenant_id, d.id FROM dms.job d
        WHERE d.state = 'running' AND d.lease_until < now() AND d.queue = ANY (p_queues)
          AND (d.published_at IS NULL OR d.published_at < d.lease_until OR d.published_at < now() - interval '10 seconds')
        ORDER BY d.lease_until LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), lost AS (
        SELECT d.tenant_id, d.id FROM unnest(p_queues) q,
        LATERAL (SELECT j.tenant_id, j.id, j.priority, j.run_at FROM dms.job j
                 WHERE j.state = 'queued' AND j.queue = q AND j.run_at <= now() AND j.published_at >= j.run_at
                   AND j.published_at < now() - p_resend
                 ORDER BY j.priority, j.run_at LIMIT p_limit FOR UPDATE SKIP LOCKED) d
        WHERE p_resend IS NOT NULL
    )
    UPDATE dms.job j SET published_at = now()
    FROM (SELECT * FROM timed UNION SELECT * FROM silent UNION SELECT * FROM lost) due
    WHERE j.tenant_id = due.tenant_id AND j.id = due.id
    RETURNING j.tenant_id, j.id, j.kind, j.priority, j.attempts, j.traceparent
$$;
ALTER FUNCTION job_due(text[], int, interval) OWNER TO dms_search;
REVOKE ALL ON FUNCTION job_due(text[], int, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION job_due(text[], int, interval) TO dms_app;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

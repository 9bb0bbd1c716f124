-- A failed or cancelled job back into the queue, at once and with all its tries.
WITH old AS (
    SELECT o.tenant_id, o.id, o.state, o.attempts FROM job o
    WHERE o.tenant_id = current_setting('app.tenant_id')::uuid AND o.id = $1 AND o.state IN ('failed', 'cancelled') FOR UPDATE)
UPDATE job j SET state = 'queued', attempts = 0, run_at = now(), error = NULL, finished_at = NULL, published_at = NULL
FROM old o WHERE j.tenant_id = current_setting('app.tenant_id')::uuid AND j.tenant_id = o.tenant_id AND j.id = o.id
RETURNING j.kind, j.document_id, j.version, j.priority, json_build_object('state', o.state, 'attempts', o.attempts)::text AS before

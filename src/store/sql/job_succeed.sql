-- The job is done; no row when it is in other hands by now, and the caller's transaction must not commit then.
UPDATE job SET state = 'succeeded', finished_at = now(), lease_until = NULL, error = NULL
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND fence = $2::bigint AND state = 'running'

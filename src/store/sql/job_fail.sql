-- The job has failed for good.
UPDATE job SET state = 'failed', finished_at = now(), lease_until = NULL, error = $3::jsonb
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND fence = $2::bigint AND state = 'running'

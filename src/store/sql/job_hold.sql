-- A longer lease; no row when the job is in other hands by now, or cancelled.
UPDATE job SET lease_until = clock_timestamp() + make_interval(secs => $3::int)
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND fence = $2::bigint AND state = 'running'

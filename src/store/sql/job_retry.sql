-- Once more, later. published_at stays before run_at, so job_due finds it when its time has come.
UPDATE job SET state = 'queued', run_at = clock_timestamp() + make_interval(secs => $3::double precision / 1000), lease_until = NULL,
               published_at = now() - interval '1 second', error = $4::jsonb
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND fence = $2::bigint AND state = 'running'

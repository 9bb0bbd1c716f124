-- A worker stops: the job goes back as if never taken. The fence stays, what the stopping worker may still write is refused.
UPDATE job SET state = 'queued', attempts = greatest(0, attempts - 1), run_at = now(), lease_until = NULL, published_at = now(),
               fence = fence + 1
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND fence = $2::bigint AND state = 'running'

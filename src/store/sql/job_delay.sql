-- Not before this time (microseconds since 1970): a message with an eta.
UPDATE job SET run_at = greatest(run_at, to_timestamp($2::double precision / 1000000)), published_at = now() - interval '1 second'
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND state = 'queued'

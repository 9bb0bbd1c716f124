-- What is to be sent (again), across tenants: the function behind it returns no more than the ids. No tenant_id here on purpose.
SELECT tenant_id, id, kind, priority, attempts, traceparent FROM job_due($1::text[], $2::int, make_interval(secs => $3::int))

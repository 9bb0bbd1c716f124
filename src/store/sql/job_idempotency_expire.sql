-- Forgets answers to idempotency keys after their time, across tenants. No tenant_id here on purpose.
SELECT idempotency_expire(make_interval(hours => $1::int)) AS gone

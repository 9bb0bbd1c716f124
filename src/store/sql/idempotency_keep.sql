-- Keeps an answer under its key, in the transaction of the effect; an expired one gives way.
INSERT INTO idempotency (tenant_id, user_id, route, key, fingerprint, status, location, body)
VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3, $4, $5, $6, coalesce($7, ''))
ON CONFLICT (tenant_id, user_id, route, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = excluded.status, location = excluded.location, body = excluded.body, created_at = now()

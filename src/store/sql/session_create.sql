-- A sign-in.
INSERT INTO session (tenant_id, id, user_id, refresh_hash, expires_at, user_agent, ip)
VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3::bytea, now() + $4::int * interval '1 second', $5, $6)

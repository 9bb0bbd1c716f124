-- A sign-in, of a member who still is one; touches no row otherwise. $4 seconds of life without use, $7 seconds at most. $8: with a second factor.
-- $9: when the person showed who they are, null: now.
WITH m AS (
    UPDATE membership SET last_sign_in_at = now()
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $2 AND num_nulls(removed_at) = 1 RETURNING user_id)
INSERT INTO session (tenant_id, id, user_id, refresh_hash, expires_at, user_agent, ip, second_factor, proved_at)
SELECT current_setting('app.tenant_id')::uuid, $1, m.user_id, $3::bytea,
       least(now() + $4::int * interval '1 second', coalesce($9::timestamptz, now()) + $7::int * interval '1 second'), $5, $6, $8::boolean,
       coalesce($9::timestamptz, now())
FROM m

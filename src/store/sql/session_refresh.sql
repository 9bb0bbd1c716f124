-- Rotates a refresh token that was ours: $1 session, $2 hash of the token shown, $3 hash of the new one, $4 grace, $5 life and $6 longest life in
-- seconds, $7 user agent, $8 address. rotated: the newest. again: the one before, within the grace, by the same client, and its successor is unused:
-- that is replaced. reused: any other, so the session ends. No row: unknown or over.
WITH s AS (
    SELECT s.tenant_id, s.id, s.user_id, s.refresh_hash, s.proved_at, m.role, m.email, m.name,
           CASE WHEN s.refresh_hash = $2::bytea THEN 'rotated'
                WHEN s.previous_hash = $2::bytea AND s.rotated_at > now() - $4::int * interval '1 second'
                     AND s.user_agent IS NOT DISTINCT FROM $7 AND s.ip IS NOT DISTINCT FROM $8 THEN 'again'
                ELSE 'reused' END AS outcome
    FROM session s JOIN membership m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id AND num_nulls(m.removed_at) = 1
    WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now()
      AND s.proved_at > now() - $6::int * interval '1 second'
    FOR UPDATE OF s)
UPDATE session t SET
    previous_hash = CASE WHEN s.outcome = 'rotated' THEN s.refresh_hash ELSE t.previous_hash END,
    rotated_at = CASE WHEN s.outcome = 'rotated' THEN now() ELSE t.rotated_at END,
    refresh_hash = CASE WHEN s.outcome = 'reused' THEN t.refresh_hash ELSE $3::bytea END,
    expires_at = CASE WHEN s.outcome = 'reused' THEN t.expires_at
                      ELSE least(now() + $5::int * interval '1 second', s.proved_at + $6::int * interval '1 second') END,
    user_agent = CASE WHEN s.outcome = 'reused' THEN t.user_agent ELSE $7 END,
    ip = CASE WHEN s.outcome = 'reused' THEN t.ip ELSE $8 END,
    revoked_at = CASE WHEN s.outcome = 'reused' THEN now() END,
    revoked_reason = CASE WHEN s.outcome = 'reused' THEN 'refresh token used twice' END
FROM s WHERE t.tenant_id = s.tenant_id AND t.id = s.id
RETURNING s.outcome, s.user_id, s.role, s.email, s.name, (SELECT o.name FROM tenant o WHERE o.tenant_id = current_setting('app.tenant_id')::uuid) AS organization

-- Rotates a refresh token: $1 session, $2 hash of the token shown, $3 hash of the new one, $4 grace and $5 life in seconds.
-- rotated: the newest, or the one before within the grace. reused: an older one is known, so the session ends. No row: unknown or over.
WITH s AS (
    SELECT s.*, m.role,
           CASE WHEN s.refresh_hash = $2::bytea THEN 'rotated'
                WHEN s.previous_hash = $2::bytea AND s.rotated_at > now() - $4::int * interval '1 second' THEN 'rotated'
                ELSE 'reused' END AS outcome
    FROM session s JOIN membership m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id AND m.removed_at IS NULL
    WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now()
    FOR UPDATE OF s)
UPDATE session t SET
    previous_hash = CASE WHEN s.outcome = 'rotated' AND s.refresh_hash = $2::bytea THEN s.refresh_hash ELSE t.previous_hash END,
    rotated_at = CASE WHEN s.outcome = 'rotated' AND s.refresh_hash = $2::bytea THEN now() ELSE t.rotated_at END,
    refresh_hash = CASE WHEN s.outcome = 'rotated' THEN $3::bytea ELSE t.refresh_hash END,
    expires_at = CASE WHEN s.outcome = 'rotated' THEN now() + $5::int * interval '1 second' ELSE t.expires_at END,
    revoked_at = CASE WHEN s.outcome = 'reused' THEN now() END,
    revoked_reason = CASE WHEN s.outcome = 'reused' THEN 'refresh token used twice' END
FROM s WHERE t.tenant_id = s.tenant_id AND t.id = s.id
RETURNING s.outcome, s.user_id, s.role

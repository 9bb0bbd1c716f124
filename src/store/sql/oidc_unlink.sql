-- Takes one of the caller's own away; null: there is none of that id; empty: the last way in stays.
SELECT oidc_unlink(current_setting('app.user_id')::uuid, $1::uuid) AS issuer

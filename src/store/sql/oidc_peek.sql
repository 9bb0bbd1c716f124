-- Whose code this is, before it is used up; no row: nobody's, or not this browser's.
SELECT user_id, tenant_id FROM oidc_peek($1::bytea, $2::bytea)

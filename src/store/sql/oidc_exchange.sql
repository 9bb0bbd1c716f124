-- Whose code this was; no row: nobody's, or not this browser's.
SELECT user_id, tenant_id, role FROM oidc_exchange($1::bytea, $2::bytea)

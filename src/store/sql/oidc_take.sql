-- It is back: no row when it never set out from this browser, is back already, or too late.
SELECT person_id, organization_id FROM oidc_take($1::bytea, $2::bytea, $3)

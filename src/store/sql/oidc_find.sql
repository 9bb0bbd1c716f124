-- Whose identity this is, else who has that address; no row: nobody.
SELECT person_id, known, safe, tenant_id FROM oidc_find($1, $2, $3)

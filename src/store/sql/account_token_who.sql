-- Whose link this is.
SELECT person_id, email, name, tenant_id FROM account_token_who($1::bytea, $2)

-- A new person without a password, with an organisation of their own.
SELECT oidc_register($1::uuid, $2, $3, $4::uuid, $5, $6)

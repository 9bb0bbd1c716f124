-- A new person without a password, with an organisation of their own.
SELECT oidc_register($1::uuid, $2, $3, current_setting('app.tenant_id')::uuid, $4, $5)

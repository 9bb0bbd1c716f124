-- What signing in needs, before a tenant is known.
SELECT user_id, password_hash, verified, tenant_id, role FROM auth_password($1, $2)

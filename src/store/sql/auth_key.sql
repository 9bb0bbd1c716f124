-- An API key by its keyed hash; no tenant is known yet.
SELECT tenant_id, id, user_id, kind, role, plan, array_to_string(scopes, ',') AS scopes FROM auth_api_key($1::bytea)

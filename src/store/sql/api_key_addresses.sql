-- The addresses that a key may be used from, NULL: any.
SELECT array_to_string(allowed_ips, ',') AS allowed_ips FROM api_key WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1

-- A key that is to be rotated: what it is, and nobody else changes it meanwhile.
SELECT k.user_id, k.kind, array_to_string(k.scopes, ',') AS scopes, api_key_json(k) ->> 'state' AS state
FROM api_key k
WHERE k.tenant_id = current_setting('app.tenant_id')::uuid AND k.id = $1 AND k.revoked_at IS NULL
FOR UPDATE

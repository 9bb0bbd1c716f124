-- What an API key that was known a moment ago may do. Nothing also when its use has to be noted again: auth_key and api_key_used do both.
SELECT k.kind, array_to_string(k.scopes, ',') AS scopes, m.role, t.plan
FROM api_key k JOIN membership m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id JOIN tenant t ON t.tenant_id = k.tenant_id
WHERE k.tenant_id = current_setting('app.tenant_id')::uuid AND k.id = $1 AND k.user_id = $2
  AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND k.last_used_at > now() - interval '1 minute'

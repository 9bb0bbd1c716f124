-- What a token's session may do, as long as it lasts and its holder is a member.
SELECT m.role, t.plan
FROM session s JOIN membership m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id JOIN tenant t ON t.tenant_id = s.tenant_id
WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.id = $1 AND s.user_id = $2
  AND s.revoked_at IS NULL AND s.expires_at > now()

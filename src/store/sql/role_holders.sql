-- Whether a role is in use: by a member, or by an invitation that can still be accepted.
SELECT EXISTS (SELECT FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.role_id = $1)
    OR EXISTS (SELECT FROM invitation i WHERE i.tenant_id = current_setting('app.tenant_id')::uuid AND i.role_id = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL
               AND i.expires_at > now()) AS used

-- Who asks: the person, the organisation, the role; the permissions are added by the caller, who knows them.
SELECT json_build_object('user', json_build_object('id', m.user_id, 'email', m.email, 'name', m.name),
           'organization', json_build_object('id', t.tenant_id, 'name', t.name, 'plan', t.plan), 'role', m.role) AS body
FROM membership m JOIN tenant t ON t.tenant_id = m.tenant_id
WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = current_setting('app.user_id')::uuid

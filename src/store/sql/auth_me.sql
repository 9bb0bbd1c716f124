-- Who asks: the person, the organisation, the role; $1: also what concerns the person alone, which a key does not tell. The permissions are added by the
-- caller, who knows them.
SELECT json_build_object('user', json_build_object('id', m.user_id, 'email', m.email, 'name', m.name),
           'organization', json_build_object('id', t.tenant_id, 'name', t.name, 'plan', t.plan), 'role', m.role,
           'organizations', (SELECT json_agg(json_build_object('id', o.tenant_id, 'name', o.name, 'role', o.role)) FROM auth_organizations(m.user_id) o
                             WHERE $1::boolean OR o.tenant_id = m.tenant_id),
           'mfa', CASE WHEN $1::boolean THEN (
               SELECT json_build_object('enabled', count(*) > 0, 'required', t.require_mfa, 'recovery_codes', coalesce(max(f.codes_left), 0))
               FROM second_factor_state(m.user_id) f) END) AS body
FROM membership m JOIN tenant t ON t.tenant_id = m.tenant_id
WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = current_setting('app.user_id')::uuid

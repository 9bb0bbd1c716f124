-- Gives a member another role.
WITH m AS (
    UPDATE membership SET role = $2, role_id = $3::uuid
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1 AND num_nulls(removed_at) = 1 RETURNING *)
SELECT json_build_object('user_id', m.user_id, 'name', m.name, 'email', m.email, 'role', m.role, 'role_id', m.role_id,
           'role_name', coalesce((SELECT r.name FROM role r WHERE r.tenant_id = current_setting('app.tenant_id')::uuid AND r.id = m.role_id), m.role),
           'mfa', EXISTS (SELECT FROM second_factor_state(m.user_id)), 'created_at', m.created_at, 'last_sign_in_at', m.last_sign_in_at)::text AS body
FROM m

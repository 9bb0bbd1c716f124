-- An invitation; of its token only the hash is kept.
INSERT INTO invitation AS i (tenant_id, id, email, role, role_id, token_hash, invited_by, expires_at)
VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3, $4::uuid, $5::bytea, $6, now() + $7::int * interval '1 day')
RETURNING json_build_object('id', i.id, 'email', i.email, 'role', i.role, 'role_id', i.role_id, 'created_at', i.created_at,
              'expires_at', i.expires_at)::text AS body

-- What a token invites to, before a tenant is known.
SELECT tenant_id, id, email, user_id, password_hash FROM invitation_find($1::bytea)

-- The role of person $1 in the organisation of the transaction; no row for who is not a member.
SELECT m.role FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.user_id = $1 AND num_nulls(m.removed_at) = 1

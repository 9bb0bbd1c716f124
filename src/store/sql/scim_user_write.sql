-- What the directory says of a member, whole. (num_nulls: IS NULL would open indexes by time to the planner.) No row touched: another member without an entry here signs in by that name.
INSERT INTO scim_user AS s (tenant_id, user_id, user_name, external_id, email, display_name, formatted, given_name, family_name, active)
SELECT w.tenant_id, w.user_id, $2, $3, $4, $5, $6, $7, $8, $9::boolean FROM membership w
WHERE w.tenant_id = current_setting('app.tenant_id')::uuid AND w.user_id = $1
  AND (SELECT 1 FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.email = lower($2) AND m.user_id <> $1 AND num_nulls(m.removed_at) = 1
       AND (SELECT 1 FROM scim_user o WHERE o.tenant_id = current_setting('app.tenant_id')::uuid AND o.user_id = m.user_id LIMIT 1) IS NULL LIMIT 1) IS NULL
ON CONFLICT (tenant_id, user_id) DO UPDATE SET user_name = excluded.user_name, external_id = excluded.external_id, email = excluded.email,
    display_name = excluded.display_name, formatted = excluded.formatted, given_name = excluded.given_name, family_name = excluded.family_name,
    active = excluded.active, updated_at = now()

-- The directory keeps this one no more.
DELETE FROM scim_user WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1

-- Takes all but these members out of a group.
DELETE FROM group_member WHERE tenant_id = current_setting('app.tenant_id')::uuid AND group_id = $1 AND NOT user_id = ANY ($2::uuid[])

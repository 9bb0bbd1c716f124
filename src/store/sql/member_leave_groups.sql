-- Takes whoever leaves out of all groups.
DELETE FROM group_member WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1

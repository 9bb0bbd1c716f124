-- A group, with who belongs to it and what it was granted.
DELETE FROM member_group WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1

-- A group's name; also without a change it has changed.
UPDATE member_group g SET name = $2, revision = g.revision + 1, updated_at = now() WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = $1

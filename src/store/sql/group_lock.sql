-- A group that is about to change.
SELECT json_build_object('name', g.name)::text AS before, g.revision AS etag FROM member_group g
WHERE g.tenant_id = current_setting('app.tenant_id')::uuid AND g.id = $1 FOR UPDATE

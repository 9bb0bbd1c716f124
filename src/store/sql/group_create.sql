-- A group of members, as long as there are fewer than $3.
INSERT INTO member_group AS g (tenant_id, id, name)
SELECT current_setting('app.tenant_id')::uuid, $1, $2
WHERE (SELECT count(*) FROM (SELECT FROM member_group c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid LIMIT $3::int) c) < $3::int
RETURNING json_build_object('id', g.id, 'name', g.name, 'created_at', g.created_at, 'updated_at', g.updated_at)::text AS body, g.revision AS etag

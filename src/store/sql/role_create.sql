-- A role of the organization's own, as long as there are fewer than $4.
INSERT INTO role (tenant_id, id, name, description)
SELECT current_setting('app.tenant_id')::uuid, $1, $2, $3
WHERE (SELECT count(*) FROM (SELECT FROM role c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid LIMIT $4::int) c) < $4::int

-- Which of the people $2 may hear of document $1; $3 says of each whether by explicit grants alone. In the scope of the system.
SELECT u.at - 1 AS place
FROM unnest($2::uuid[], $3::boolean[]) WITH ORDINALITY u(id, granted, at)
CROSS JOIN (SELECT d.acl_id FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1) d
WHERE d.acl_id IS NULL AND NOT u.granted OR d.acl_id IS NOT NULL AND acls_of(u.id, 1, u.granted) @> d.acl_id

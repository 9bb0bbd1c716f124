-- Who has access to a folder.
SELECT x.body, md5(x.body) AS etag
FROM (SELECT access_json(f.tenant_id, f.id, f.acl_id)::text AS body FROM folder f
      WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1 OFFSET 0) x

-- Who has access to a document.
SELECT x.body, md5(x.body) AS etag
FROM (SELECT access_json(d.tenant_id, d.id, d.acl_id)::text AS body FROM document d
      WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1 OFFSET 0) x

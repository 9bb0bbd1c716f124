-- One document.
SELECT document_json(d, m.name)::text AS body, document_etag(d) AS etag
FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1

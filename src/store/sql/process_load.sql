-- What a job needs of a document and of the version that it is about.
SELECT d.title, d.status, d.version AS current, v.name, v.sha256, d.status = 'deleted' AS gone
FROM document d JOIN document_version v ON v.tenant_id = d.tenant_id AND v.document_id = d.id AND v.version = $2::int
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1::uuid

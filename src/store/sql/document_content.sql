-- Which bytes a version has; $2 null is the current one. sensitive: reading it is recorded (docs/audit.md).
SELECT v.sha256, v.name, v.mime_type, v.version, d.classification IN ('confidential', 'restricted') AS sensitive
FROM document d JOIN document_version v ON v.tenant_id = d.tenant_id AND v.document_id = d.id
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1 AND v.version = coalesce($2::int, d.version)

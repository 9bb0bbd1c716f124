-- A document with its first version and the bytes it names, in one statement.
WITH b AS (
    INSERT INTO blob (tenant_id, sha256, size) VALUES (current_setting('app.tenant_id')::uuid, $8, $7::bigint) ON CONFLICT DO NOTHING),
twin AS (
    SELECT id FROM (SELECT id, created_at FROM document
                    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND sha256 = $8 AND trashed_at IS NULL OFFSET 0) same
    ORDER BY created_at LIMIT 1), -- OFFSET: by the hash, never through all documents in their order
d AS (
    INSERT INTO document (tenant_id, id, folder_id, title, title_given, name, mime_type, size, sha256, classification, tags, metadata, owner_id, duplicate_of)
    SELECT current_setting('app.tenant_id')::uuid, $1, $2, $3, $4, $5, $6, $7::bigint, $8, coalesce($9, 'internal'), $10::text[], $11::jsonb,
           current_setting('app.user_id')::uuid, (SELECT id FROM twin)
    RETURNING *),
v AS (
    INSERT INTO document_version (tenant_id, document_id, version, name, mime_type, size, sha256, author_id)
    SELECT d.tenant_id, d.id, d.version, d.name, d.mime_type, d.size, d.sha256, d.owner_id FROM d)
SELECT document_json(d, m.name)::text AS body, document_etag(d) AS etag
FROM d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id

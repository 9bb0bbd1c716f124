-- A new version becomes the current one; the text of the one before is found until the new text is there.
WITH b AS (
    INSERT INTO blob (tenant_id, sha256, size) VALUES (current_setting('app.tenant_id')::uuid, $6, $5::bigint) ON CONFLICT DO NOTHING),
v AS (
    INSERT INTO document_version (tenant_id, document_id, version, name, mime_type, size, sha256, author_id)
    VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3, $4, $5::bigint, $6, current_setting('app.user_id')::uuid)),
d AS (
    UPDATE document SET version = $2, name = $3, mime_type = $4, size = $5::bigint, sha256 = $6, status = 'pending', processing_error = NULL,
        processing_note = NULL, processed_at = NULL, revision = revision + 1, updated_at = now()
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 RETURNING *)
SELECT document_json(d, m.name)::text AS body, document_etag(d) AS etag
FROM d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id

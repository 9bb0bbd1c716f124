-- Back out of the trash.
WITH d AS (
    UPDATE document SET trashed_at = NULL, revision = revision + 1, updated_at = now()
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND trashed_at IS NOT NULL RETURNING *)
SELECT document_json(d, m.name)::text AS body, document_etag(d) AS etag
FROM d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id

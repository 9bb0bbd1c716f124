-- Back out of the trash.
WITH old AS (
    SELECT o.tenant_id, o.id, o.trashed_at FROM document o
    WHERE o.tenant_id = current_setting('app.tenant_id')::uuid AND o.id = $1 AND o.trashed_at IS NOT NULL FOR UPDATE
), d AS (
    UPDATE document t SET trashed_at = NULL, revision = revision + 1, updated_at = now()
    FROM old o WHERE t.tenant_id = current_setting('app.tenant_id')::uuid AND t.tenant_id = o.tenant_id AND t.id = o.id RETURNING t.*)
SELECT document_json(d, m.name)::text AS body, document_etag(d) AS etag, json_build_object('trashed_at', o.trashed_at)::text AS before,
    json_build_object('title', d.title, 'trashed_at', NULL)::text AS after
FROM d JOIN old o ON o.id = d.id JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id

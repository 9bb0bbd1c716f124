-- Changes what is not null; $3 says that the folder is to be set, also to none.
WITH d AS (
    UPDATE document SET title = coalesce($2, title), title_given = title_given OR $2 IS NOT NULL,
        folder_id = CASE WHEN $3::boolean THEN $4::uuid ELSE folder_id END, tags = coalesce($5::text[], tags),
        classification = coalesce($6, classification), metadata = coalesce($7::jsonb, metadata), revision = revision + 1, updated_at = now()
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 RETURNING *)
SELECT document_json(d, m.name)::text AS body, document_etag(d) AS etag
FROM d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id

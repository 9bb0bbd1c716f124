-- A document takes over what was read out of its current version: in place of what an earlier reading had given, under what a person gave.
-- No row when a newer version came meanwhile. The reading before: of this version, or of the one before it (the caller runs this before process_text).
UPDATE document d
SET mime_type = $3, status = $4, page_count = nullif($5::int, 0), chunk_count = $6::int, language = $7, processing_note = $8, processing_error = NULL,
    processed_at = CASE WHEN $4 = 'processed' THEN now() END,
    title = CASE WHEN d.title_given THEN d.title ELSE coalesce($9, d.title) END,
    type = CASE WHEN d.type IS NULL OR d.type = b.was->>'type' THEN x.now->>'type' ELSE d.type END,
    version_label = CASE WHEN d.version_label IS NULL OR d.version_label = b.was->>'version_label' THEN x.now->>'version_label' ELSE d.version_label END,
    metadata = x.now->'metadata' || coalesce((SELECT jsonb_object_agg(m.k, m.v) FROM jsonb_each(d.metadata) m(k, v)
                                              WHERE b.was->'metadata'->m.k IS DISTINCT FROM m.v), '{}'),
    tags = ARRAY(SELECT u.tag FROM (SELECT t.tag, t.o FROM unnest(d.tags) WITH ORDINALITY t(tag, o) WHERE (b.was->'tags' ? t.tag) IS NOT TRUE
                                    UNION ALL
                                    SELECT t.tag, 1000 + t.o FROM jsonb_array_elements_text(x.now->'tags') WITH ORDINALITY t(tag, o)) u
                 GROUP BY u.tag ORDER BY min(u.o) LIMIT 100)
FROM (SELECT (SELECT v.extracted FROM document_version v
              WHERE v.tenant_id = current_setting('app.tenant_id')::uuid AND v.document_id = $1::uuid AND v.version <= $2::int AND v.extracted IS NOT NULL
              ORDER BY v.version DESC LIMIT 1) AS was) b,
     (SELECT $10::jsonb AS now) x
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1::uuid AND d.version = $2::int AND d.status <> 'deleted'
RETURNING d.title

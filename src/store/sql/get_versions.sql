-- The versions of a document, newest first.
WITH page AS (
    SELECT v.*, m.name AS author_name, d.version = v.version AS current, row_number() OVER (ORDER BY v.version DESC) AS n
    FROM document d JOIN document_version v ON v.tenant_id = d.tenant_id AND v.document_id = d.id
    JOIN membership m ON m.tenant_id = v.tenant_id AND m.user_id = v.author_id
    WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1 AND v.version < CASE WHEN $3::int IS NULL THEN 2147483647 ELSE $3 END AND ($4::text IS NULL OR true)
    ORDER BY v.version DESC LIMIT $2::int + 1)
SELECT coalesce(json_agg(json_build_object('version', p.version, 'name', p.name, 'mime_type', p.mime_type, 'size', p.size, 'sha256', p.sha256,
           'current', p.current, 'author', json_build_object('id', p.author_id, 'name', p.author_name), 'created_at', p.created_at) ORDER BY p.n)
           FILTER (WHERE p.n <= $2::int), '[]') AS items,
       CASE WHEN count(*) > $2::int THEN max(p.version::text || '|' || '') FILTER (WHERE p.n = $2::int) END AS next_key, NULL::bigint AS total
FROM page p HAVING EXISTS (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1)

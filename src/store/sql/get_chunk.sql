-- One passage. sensitive: reading it is recorded (docs/audit.md).
SELECT json_build_object('id', c.id, 'document_id', c.document_id, 'version', c.version, 'ordinal', c.ordinal, 'page', c.page, 'section', c.section,
           'text', c.text, 'tokens', c.tokens)::text AS body,
    c.document_id, coalesce((SELECT d.classification IN ('confidential', 'restricted') FROM document d
        WHERE d.tenant_id = c.tenant_id AND d.id = c.document_id), true) AS sensitive
FROM chunk c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.id = $1
  AND (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = c.document_id LIMIT 1) IS NOT NULL

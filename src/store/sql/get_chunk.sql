-- One passage.
SELECT json_build_object('id', c.id, 'document_id', c.document_id, 'version', c.version, 'ordinal', c.ordinal, 'page', c.page, 'section', c.section,
           'text', c.text, 'tokens', c.tokens)::text AS body
FROM chunk c WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.id = $1

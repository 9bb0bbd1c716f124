-- Passages of a document, many in one statement.
INSERT INTO chunk (tenant_id, id, document_id, version, ordinal, page, section, text, tokens, tsv)
SELECT current_setting('app.tenant_id')::uuid, u.id, $1::uuid, $2::int, u.ordinal, nullif(u.page, 0), u.section, u.text, u.tokens,
       dms.chunk_tsv($3, u.section, u.text)
FROM unnest($4::uuid[], $5::int[], $6::int[], $7::text[], $8::text[], $9::int[]) u(id, ordinal, page, section, text, tokens)

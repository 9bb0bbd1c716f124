-- The page that is shown: $1 passages in their order, $2 question, $3 whether to mark its words. marked is the passage with U+E000 and
-- U+E001 around the words of the question; without them it has as many code points as text.
SELECT d.id AS document_id, d.title, d.name, d.mime_type, d.type, d.updated_at, c.version, c.id AS chunk_id, c.page, c.section, c.text,
       CASE WHEN $3::boolean THEN ts_headline('english', text_spread(c.text), query_any($2),
                                              U&'HighlightAll=true, StartSel=\E000, StopSel=\E001') END AS marked
FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted(chunk_id, at)
JOIN chunk c ON c.tenant_id = current_setting('app.tenant_id')::uuid AND c.id = wanted.chunk_id
JOIN document d ON d.tenant_id = c.tenant_id AND d.id = c.document_id
WHERE d.trashed_at IS NULL
ORDER BY wanted.at

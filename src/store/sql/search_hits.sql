-- The page that is shown: $1 passages in their order, $2 question, $3 whether to mark its words. marked is the passage with U+E000 and
-- U+E001 around the words of the question; without them it has as many code points as text. LIMIT: one by one, never all passages beforehand.
SELECT d.id AS document_id, d.title, d.name, d.mime_type, d.type, to_json(d.updated_at)#>>'{}' AS updated_at, c.version, c.id AS chunk_id, c.page, c.section, c.text,
       CASE WHEN $3::boolean THEN ts_headline('english', text_spread(c.text), query_any($2),
                                              U&'HighlightAll=true, StartSel=\E000, StopSel=\E001') END AS marked
FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted(chunk_id, at)
CROSS JOIN LATERAL (SELECT * FROM chunk WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = wanted.chunk_id LIMIT 1) c
CROSS JOIN LATERAL (SELECT * FROM document WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = c.document_id LIMIT 1) d
WHERE d.trashed_at IS NULL
ORDER BY wanted.at

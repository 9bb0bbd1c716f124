-- Keyword leg when the filter keeps few: every passage that fits it is scored, at most $3 of them (seen > $3: nothing was scored).
-- $1 question, $2 filter, $4 documents.
WITH q AS (SELECT array_agg(word) AS words, array_agg(times) AS times FROM query_words($1)),
codes AS (SELECT query_codes($1) AS wanted),
scope AS MATERIALIZED (
    SELECT c.id FROM search_documents($2::jsonb) d JOIN chunk c ON c.tenant_id = d.tenant_id AND c.document_id = d.id
    WHERE c.tenant_id = current_setting('app.tenant_id')::uuid LIMIT $3::int + 1),
t AS (SELECT count(*) AS seen FROM scope),
hit AS MATERIALIZED (
    SELECT s.* FROM q, t, kw.search_among(q.words, q.times, CASE WHEN t.seen <= $3::int THEN ARRAY(SELECT id FROM scope) END, $3::int) s),
best AS (SELECT DISTINCT ON (c.document_id) c.document_id, h.chunk_id, h.score, coalesce(c.tsv @@ codes.wanted, false) AS named
         FROM codes, hit h JOIN chunk c ON c.tenant_id = current_setting('app.tenant_id')::uuid AND c.id = h.chunk_id
         ORDER BY c.document_id, coalesce(c.tsv @@ codes.wanted, false) DESC, h.score DESC, h.chunk_id)
SELECT t.seen, true AS exact, b.document_id, b.chunk_id, b.score, b.named
FROM t LEFT JOIN (SELECT * FROM best ORDER BY named DESC, score DESC, document_id LIMIT $4::int) b ON true
ORDER BY b.named DESC, b.score DESC, b.document_id

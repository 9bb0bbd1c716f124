-- Keyword leg: the best passage of each document, among the $2 best passages that fit no filter yet. $1 question, $3 filter, $4 documents.
-- seen: how many passages were found before the join, which is the authority on tenant, trash and filter.
WITH q AS (SELECT array_agg(word) AS words, array_agg(times) AS times FROM query_words($1)),
codes AS (SELECT query_codes($1) AS wanted),
hit AS MATERIALIZED (SELECT s.* FROM q, kw.search(q.words, q.times, $2::int) s),
best AS (SELECT DISTINCT ON (c.document_id) c.document_id, h.chunk_id, h.score, coalesce(c.tsv @@ codes.wanted, false) AS named
         FROM codes, hit h JOIN chunk c ON c.tenant_id = current_setting('app.tenant_id')::uuid AND c.id = h.chunk_id
              JOIN search_documents($3::jsonb) d ON d.tenant_id = c.tenant_id AND d.id = c.document_id
         ORDER BY c.document_id, coalesce(c.tsv @@ codes.wanted, false) DESC, h.score DESC, h.chunk_id)
SELECT t.seen, t.exact, b.document_id, b.chunk_id, b.score, b.named
FROM (SELECT count(*) AS seen, coalesce(bool_and(exact), true) AS exact FROM hit) t
LEFT JOIN (SELECT * FROM best ORDER BY named DESC, score DESC, document_id LIMIT $4::int) b ON true
ORDER BY b.named DESC, b.score DESC, b.document_id

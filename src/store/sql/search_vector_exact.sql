-- Vector leg, compared one by one: every passage that fits the filter, at most $4 of them (seen > $4: there are more).
-- $1 model, $2 vector, $3 filter, $5 documents. The materialized list has no order, so that HNSW cannot be meant.
WITH near AS MATERIALIZED (
    SELECT e.document_id, e.chunk_id, e.v <#> $2::halfvec AS distance
    FROM embedding e JOIN search_documents($3::jsonb) d ON d.tenant_id = e.tenant_id AND d.id = e.document_id
    WHERE e.tenant_id = current_setting('app.tenant_id')::uuid AND e.model = $1 LIMIT $4::int + 1),
best AS (SELECT DISTINCT ON (document_id) document_id, chunk_id, distance FROM near ORDER BY document_id, distance, chunk_id)
SELECT t.seen, true AS exact, b.document_id, b.chunk_id, -b.distance AS score, false AS named
FROM (SELECT count(*) AS seen FROM near) t
LEFT JOIN (SELECT * FROM best ORDER BY distance, document_id LIMIT $5::int) b ON true
ORDER BY b.distance, b.document_id

-- Vector leg by HNSW, for large tenants: about the $3 nearest passages. $1 vector, $2 filter, $4 documents. Model and length stand here
-- because the index is one of this model. The filter is a sub-select on purpose: as a join it would be planned before the index.
-- Outside, distance + 0: a relaxed scan comes nearly in order, so it is sorted again.
WITH near AS MATERIALIZED (
    SELECT e.document_id, e.chunk_id, e.v::halfvec(384) <#> $1::halfvec(384) AS distance
    FROM embedding e
    WHERE e.tenant_id = current_setting('app.tenant_id')::uuid AND e.model = 'all-MiniLM-L6-v2'
      AND (SELECT true FROM search_documents($2::jsonb) d WHERE d.tenant_id = e.tenant_id AND d.id = e.document_id)
    ORDER BY e.v::halfvec(384) <#> $1::halfvec(384) LIMIT $3::int),
best AS (SELECT DISTINCT ON (document_id) document_id, chunk_id, distance FROM near ORDER BY document_id, distance + 0, chunk_id)
SELECT t.seen, false AS exact, b.document_id, b.chunk_id, -b.distance AS score, false AS named
FROM (SELECT count(*) AS seen FROM near) t
LEFT JOIN (SELECT * FROM best ORDER BY distance + 0, document_id LIMIT $4::int) b ON true
ORDER BY b.distance + 0, b.document_id

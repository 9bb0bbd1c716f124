-- 0004_embed_missing: documents whose passages have no vector of the current model, because there was none when they were read, or it was
-- another: finds them across tenants and makes their jobs. Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

CREATE POLICY embed_missing ON document FOR SELECT TO dms_search USING (true);
CREATE POLICY embed_missing ON embedding FOR SELECT TO dms_search USING (true);
GRANT SELECT ON document, embedding TO dms_search;
GRANT INSERT ON job TO dms_search;

-- At most p_limit jobs of the least urgent kind; returns how many. p_ids: ids for them. An open job of the document is not doubled; one that
-- failed within the last day is left to the person who sees it.
CREATE FUNCTION embed_missing(p_model text, p_ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    WITH missing AS (
        SELECT d.tenant_id, d.id, d.version, row_number() OVER () AS at
        FROM dms.document d
        WHERE d.chunk_count > 0 AND d.status = 'processed' AND d.trashed_at IS NULL
          AND NOT EXISTS (SELECT FROM dms.embedding e WHERE e.tenant_id = d.tenant_id AND e.document_id = d.id AND e.model = p_model)
          AND NOT EXISTS (SELECT FROM dms.job j WHERE j.tenant_id = d.tenant_id AND j.document_id = d.id
                          AND (j.state IN ('queued', 'running') OR j.kind = 'document.embed' AND j.finished_at > now() - interval '1 day'
                               AND j.state <> 'succeeded'))
        LIMIT cardinality(p_ids)
    ), made AS (
        INSERT INTO dms.job (tenant_id, id, kind, queue, priority, document_id, version)
        SELECT m.tenant_id, p_ids[m.at], 'document.embed', 'embeddings', 9, m.id, m.version FROM missing m
        RETURNING 1
    )
    SELECT count(*) FROM made
$$;
ALTER FUNCTION embed_missing(text, uuid[]) OWNER TO dms_search;
REVOKE ALL ON FUNCTION embed_missing(text, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION embed_missing(text, uuid[]) TO dms_app;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

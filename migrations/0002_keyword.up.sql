-- 0002_keyword: BM25 inside PostgreSQL. Runs as dms_owner in one transaction; everything in schema kw belongs to dms_search.
--
-- One row of kw.doc per passage. For each distinct word it holds one key in `keys` (GIN): a hash of tenant and word whose low 4 bits are
-- replaced by the level 0-15 of the word's BM25 part in this passage ("impact"), and the same impact in `sv` at dimension hash(word).
-- So posting lists are per tenant, word and impact, and the score of a candidate is one sparse product. kw.search adds (word, level)
-- groups, best gain per row first; a passage outside them scores at most `bound`: when that is no more than the k-th score found,
-- the result is proved to be that of scoring everything. Statistics (kw.stat) may be stale: bound and scores use the same weights, so
-- the proof holds, and only the weights move a little.
--
-- Changing k1, b, the weight of titles, the average length, the levels or a hash means: a new migration that ends with kw.rebuild().

-- ---------------------------------------------------------------------------------------------------------------------------------
-- Words. Passages and questions go through the same functions, or nothing is found.
-- ---------------------------------------------------------------------------------------------------------------------------------

-- Code point by code point the same length, so that offsets into the result are offsets into the text: separators that glue words
-- into one token for the parser ("wing/body", "snake_case", "node.js", and "-018" in "ADR-018") become spaces, as do the two
-- code points that mark highlights.
CREATE FUNCTION dms.text_spread(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.regexp_replace(pg_catalog.translate(p_text, '/\_@:' || U&'\E000\E001', '       '),
                                     '-(?=[0-9])|\.(?=[[:alpha:]])|(?<=[[:alpha:]])\.(?=[0-9])', ' ', 'g')
$$;

-- Codes as a whole, so that "ADR-018" finds that record before any other text about an ADR and an 18: runs of letters and digits held
-- together by punctuation, unless they are plain hyphenated words or numbers (the parser knows those).
CREATE FUNCTION dms.text_codes(p_text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('''%s'':%s', pg_catalog.lower(m[1]), least(o, 16383)), ' '), '')::tsvector
    FROM pg_catalog.regexp_matches(p_text, '[[:alnum:]]+(?:[-_./@:+][[:alnum:]]+)+', 'g') WITH ORDINALITY AS u(m, o)
    WHERE m[1] ~ '[0-9_./@:+]' AND m[1] !~ '^[0-9]+\.[0-9]+$' AND pg_catalog.octet_length(m[1]) <= 200
$$;

CREATE FUNCTION dms.text_tsv(p_text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.to_tsvector('pg_catalog.english', dms.text_spread(p_text)) || dms.text_codes(p_text)
$$;

-- What stands in chunk.tsv. The title counts twice (weight A, see kw.entry).
CREATE FUNCTION dms.chunk_tsv(p_title text, p_section text, p_text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.setweight(dms.text_tsv(coalesce(p_title, '')), 'A') || dms.text_tsv(pg_catalog.concat_ws(E'\n', p_section, p_text))
$$;

-- The words of a question and how often each stands in it: long questions repeat their subject, and that counts.
CREATE FUNCTION dms.query_words(p_query text) RETURNS TABLE (word text, times int) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT u.lexeme, pg_catalog.cardinality(u.positions) FROM pg_catalog.unnest(dms.text_tsv(p_query)) u
$$;

-- Any of the words, for highlighting. Quoted by the rules of tsquery input; not SQL.
CREATE FUNCTION dms.query_any(p_query text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(pg_catalog.string_agg('''' || replace(replace(word, '\', '\\'), '''', '''''') || '''', '|'), '')::tsquery
    FROM dms.query_words(p_query)
$$;

-- All codes with a digit that a question holds ("ADR-018"), or null. Passages with them come first: who names a thing wants it.
CREATE FUNCTION dms.query_codes(p_query text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.string_agg('''' || u.lexeme || '''', '&')::tsquery FROM pg_catalog.unnest(dms.text_codes(p_query)) u WHERE u.lexeme ~ '[0-9]'
$$;

-- The documents that a search may show: live ones that fit the filter. Every member is optional; unknown ones are refused before.
CREATE FUNCTION dms.search_documents(p_filter jsonb) RETURNS SETOF dms.document LANGUAGE sql STABLE AS $$
    SELECT d.* FROM dms.document d
    WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.trashed_at IS NULL AND d.status <> 'deleted'
      AND (p_filter->>'status' IS NULL OR d.status = p_filter->>'status')
      AND (p_filter->>'lifecycle' IS NULL OR d.lifecycle = p_filter->>'lifecycle')
      AND (p_filter->>'classification' IS NULL OR d.classification = p_filter->>'classification')
      AND (p_filter->>'type' IS NULL OR d.type = p_filter->>'type')
      AND (p_filter->>'mime_type' IS NULL OR d.mime_type = p_filter->>'mime_type')
      AND (p_filter->>'owner_id' IS NULL OR d.owner_id = (p_filter->>'owner_id')::uuid)
      AND (p_filter->>'document_id' IS NULL OR d.id = (p_filter->>'document_id')::uuid)
      AND (p_filter->'tags' IS NULL OR d.tags @> ARRAY(SELECT jsonb_array_elements_text(p_filter->'tags')))
      AND (p_filter->>'created_from' IS NULL OR d.created_at >= (p_filter->>'created_from')::timestamptz)
      AND (p_filter->>'created_to' IS NULL OR d.created_at < (p_filter->>'created_to')::timestamptz)
      AND (p_filter->>'updated_from' IS NULL OR d.updated_at >= (p_filter->>'updated_from')::timestamptz)
      AND (p_filter->>'updated_to' IS NULL OR d.updated_at < (p_filter->>'updated_to')::timestamptz)
      AND (p_filter->>'folder_id' IS NULL OR d.folder_id IN ( -- with everything below it
           WITH RECURSIVE below(id) AS (
               SELECT (p_filter->>'folder_id')::uuid
               UNION
               SELECT f.id FROM dms.folder f JOIN below b ON f.parent_id = b.id
               WHERE f.tenant_id = current_setting('app.tenant_id')::uuid)
           SELECT id FROM below))
$$;

-- ---------------------------------------------------------------------------------------------------------------------------------
-- The index
-- ---------------------------------------------------------------------------------------------------------------------------------

-- Needed by kw.rebuild alone; the trigger is handed its rows.
CREATE POLICY functions ON dms.chunk FOR SELECT TO dms_search USING (true);
GRANT SELECT ON dms.chunk TO dms_search;

CREATE SCHEMA kw AUTHORIZATION dms_search;
SET LOCAL ROLE dms_search;
SET LOCAL search_path = kw, ext;

CREATE TABLE doc (
    tenant_id uuid NOT NULL,
    chunk_id  uuid NOT NULL,
    keys      bigint[] NOT NULL,
    sv        sparsevec(1000000000) NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id)
);
-- Statistics on keys would talk the planner out of the GIN index; compressed columns would be unpacked for every candidate.
ALTER TABLE doc ALTER keys SET STATISTICS 0, ALTER keys SET STORAGE EXTERNAL, ALTER sv SET STORAGE EXTERNAL;
-- A long pending list is read by every search: 256 kB costs little, the default 4 MB ten times a rare word's search.
CREATE INDEX doc_keys ON doc USING gin (keys) WITH (gin_pending_list_limit = 256);

-- How many passages hold a word at a level; the document frequency of a word is the sum over its 16 keys.
CREATE TABLE stat (
    tenant_id uuid NOT NULL,
    key       bigint NOT NULL,
    n         int NOT NULL,
    PRIMARY KEY (tenant_id, key)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

CREATE TABLE passages (
    tenant_id uuid PRIMARY KEY,
    n         bigint NOT NULL
) WITH (fillfactor = 50);

-- What kw.fold has still to add up. Append only, so that writers never wait for one another.
CREATE TABLE delta (
    tenant_id uuid NOT NULL,
    sign      smallint NOT NULL,
    keys      bigint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['doc', 'stat', 'passages', 'delta'] LOOP
        EXECUTE format('ALTER TABLE kw.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE kw.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY functions ON kw.%I TO dms_search USING (true) WITH CHECK (true)', t);
    END LOOP;
END
$$;

CREATE FUNCTION seed(p_tenant uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.uuid_hash_extended(p_tenant, 42)
$$;
CREATE FUNCTION dim(p_word text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ((pg_catalog.hashtextextended(p_word COLLATE "C", 7) & 9223372036854775807) % 1000000000)::int + 1
$$;
-- The first of a word's 16 keys in a tenant.
CREATE FUNCTION key(p_dim int, p_seed bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.hashint4extended(p_dim, p_seed) & ~15::bigint
$$;

-- A passage's row: k1 1.2, b 0.75, constant average length 80 (measured: x0.5 to x2 moves nDCG@10 by .015, a moving average buys
-- nothing), title words twice. Impacts lie in (0, 2.2]; a level is 2.2 / 16 = 0.1375 wide.
CREATE FUNCTION entry(p_tenant uuid, p_tsv tsvector) RETURNS TABLE (keys bigint[], sv sparsevec) LANGUAGE sql STABLE AS $$
    SELECT coalesce(pg_catalog.array_agg(kw.key(g.dim, kw.seed(p_tenant)) | least(15, floor(g.impact / 0.1375)::int)), '{}'),
           ('{' || coalesce(pg_catalog.string_agg(g.dim || ':' || g.impact, ','), '') || '}/1000000000')::sparsevec
    FROM (SELECT l.dim, least(2.2, sum(l.tf * 2.2 / (l.tf + l.k))) AS impact -- sparsevec refuses a dimension twice
          FROM (SELECT w.dim, w.tf, 1.2 * (0.25 + 0.75 * sum(w.tf) OVER () / 80.0) AS k
                FROM (SELECT kw.dim(u.lexeme) AS dim,
                             coalesce(cardinality(u.positions), 1)::float8
                             + CASE WHEN u.weights[1] = 'A' THEN cardinality(array_positions(u.weights, 'A')) ELSE 0 END AS tf
                      FROM pg_catalog.unnest(p_tsv) u) w) l
          GROUP BY l.dim) g
$$;

-- Statement triggers of dms.chunk. Transition tables forbid UPDATE OF tsv, hence the comparison.
CREATE FUNCTION on_chunk() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, kw, ext, pg_temp SET extra_float_digits = -9 AS $$
BEGIN
    IF tg_op = 'DELETE' THEN
        WITH gone AS (DELETE FROM kw.doc d USING o WHERE d.chunk_id = o.id AND d.tenant_id = o.tenant_id RETURNING d.tenant_id, d.keys)
        INSERT INTO kw.delta SELECT tenant_id, -1, keys FROM gone;
        RETURN NULL;
    END IF;
    IF tg_op = 'UPDATE' THEN
        WITH gone AS (DELETE FROM kw.doc d USING o LEFT JOIN n USING (tenant_id, id)
                      WHERE d.chunk_id = o.id AND d.tenant_id = o.tenant_id AND o.tsv IS DISTINCT FROM n.tsv
                      RETURNING d.tenant_id, d.keys)
        INSERT INTO kw.delta SELECT tenant_id, -1, keys FROM gone;
    END IF;
    WITH new AS (INSERT INTO kw.doc (tenant_id, chunk_id, keys, sv)
                 SELECT n.tenant_id, n.id, e.keys, e.sv FROM n CROSS JOIN LATERAL kw.entry(n.tenant_id, n.tsv) e
                 WHERE NOT EXISTS (SELECT FROM kw.doc d WHERE d.chunk_id = n.id AND d.tenant_id = n.tenant_id)
                 RETURNING tenant_id, keys)
    INSERT INTO kw.delta SELECT tenant_id, 1, keys FROM new;
    RETURN NULL;
END
$$;

-- Adds what was written since into the statistics, at most p_max passages of all tenants; returns how many. The worker calls it every
-- few seconds. One folder at a time; nobody waits.
CREATE FUNCTION fold(p_max int DEFAULT 2000) RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, kw, pg_temp AS $$
DECLARE
    folded  int;
    tenants uuid[];
    empty   bigint[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(7142001) THEN
        RETURN 0;
    END IF;
    WITH d AS MATERIALIZED (
        DELETE FROM kw.delta WHERE ctid = ANY (ARRAY(SELECT ctid FROM kw.delta LIMIT least(greatest(p_max, 1), 100000) FOR UPDATE SKIP LOCKED))
        RETURNING tenant_id, sign, keys),
    p AS (INSERT INTO kw.passages AS x SELECT tenant_id, sum(sign) FROM d GROUP BY 1 ORDER BY 1
          ON CONFLICT (tenant_id) DO UPDATE SET n = x.n + excluded.n),
    s AS (INSERT INTO kw.stat AS x SELECT tenant_id, k, sum(sign) FROM d, unnest(keys) k GROUP BY 1, 2 HAVING sum(sign) <> 0 ORDER BY 1, 2
          ON CONFLICT (tenant_id, key) DO UPDATE SET n = x.n + excluded.n
          RETURNING tenant_id, key, n)
    SELECT (SELECT count(*) FROM d), array_agg(tenant_id), array_agg(key) INTO folded, tenants, empty FROM s WHERE n = 0;
    DELETE FROM kw.stat x USING unnest(tenants, empty) e(tenant_id, key) WHERE x.tenant_id = e.tenant_id AND x.key = e.key AND x.n = 0;
    RETURN folded;
END
$$;

-- About how many passages the calling tenant has: decides how its vectors are searched. As fresh as the last fold.
CREATE FUNCTION passage_count() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, kw, pg_temp AS $$
    SELECT coalesce((SELECT greatest(n, 0) FROM kw.passages WHERE tenant_id = current_setting('app.tenant_id')::uuid), 0)
$$;

-- The words of a question: what each is worth (times * idf), and in how many passages it stands at which levels. At most 256, the
-- weightiest. OFFSET 0: one index range a word, never all statistics of the tenant.
CREATE FUNCTION weights(p_tenant uuid, p_words text[], p_times int[])
RETURNS TABLE (dim int, key bigint, weight float8, levels int[], counts int[]) LANGUAGE sql STABLE AS $$
    SELECT q.dim, q.key, q.times * ln(1 + (greatest(t.n, s.df) - s.df + 0.5) / (s.df + 0.5)) AS weight, s.levels, s.counts
    FROM (SELECT kw.dim(u.word) AS dim, kw.key(kw.dim(u.word), kw.seed(p_tenant)) AS key,
                 sum(least(greatest(coalesce(u.times, 1), 1), 1000))::float8 AS times
          FROM unnest(p_words, p_times) u(word, times) WHERE u.word <> '' GROUP BY 1, 2) q
    CROSS JOIN (SELECT coalesce((SELECT p.n FROM kw.passages p WHERE p.tenant_id = p_tenant), 0)::float8 AS n OFFSET 0) t
    CROSS JOIN LATERAL (SELECT coalesce(sum(x.n), 0)::float8 AS df, array_agg((x.key & 15)::int) AS levels, array_agg(x.n) AS counts
                        FROM kw.stat x WHERE x.tenant_id = p_tenant AND x.key BETWEEN q.key AND q.key | 15 AND x.n > 0 OFFSET 0) s
    ORDER BY weight DESC, q.dim LIMIT 256
$$;

CREATE FUNCTION vector(p_dims int[], p_weights float8[]) RETURNS sparsevec LANGUAGE sql STABLE AS $$
    SELECT ('{' || coalesce(pg_catalog.string_agg(d || ':' || w::real, ','), '') || '}/1000000000')::sparsevec
    FROM unnest(p_dims, p_weights) u(d, w)
$$;

-- The p_k best passages of the calling tenant. exact: proved to be those of scoring every passage; else the row budget ended it.
-- Words come with how often each stands in the question. First about p_first candidates, then 3 times as many, then up to about p_budget:
-- each step raises the score that the bound has to fall below.
-- IS NOT DISTINCT FROM: the tenant is never null; written so, the planner cannot turn to the primary key and AND all rows of the tenant
-- with the candidates (20-50 ms at 10^6 rows).
CREATE FUNCTION search(p_words text[], p_times int[], p_k int DEFAULT 300, p_budget int DEFAULT 20000, p_first int DEFAULT 1000)
RETURNS TABLE (chunk_id uuid, score real, exact boolean) LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 300
SET search_path = pg_catalog, kw, ext, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_indexscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_query  sparsevec;
    -- The groups in the order of their use: keys, first and last level, rows up to and with it, bound after it.
    v_keys   bigint[];
    v_low    int[];
    v_high   int[];
    v_rows   float8[];
    v_bound  float8[];
    v_all    int;
    v_from   int;
    v_to     int := 0;
    v_limit  float8;
    v_theta  float8 := 0;
    v_set    bigint[];
    v_ids    uuid[];
    v_scores real[];
BEGIN
    p_k := least(greatest(p_k, 1), 10000);
    p_budget := least(greatest(p_budget, 100, p_k), 200000);
    p_first := least(greatest(p_first, 100, p_k), p_budget);
    WITH w AS MATERIALIZED (SELECT * FROM kw.weights(v_tenant, p_words, p_times)),
    n AS (SELECT dim, key, weight, level, max(n)::float8 AS n -- every word has a level 0, so that its last group reaches down to it
          FROM w CROSS JOIN LATERAL (SELECT * FROM unnest(w.levels, w.counts) UNION ALL SELECT 0, 0) l(level, n) GROUP BY 1, 2, 3, 4),
    g AS (SELECT *, lag(level, 1, 16) OVER (PARTITION BY dim ORDER BY level DESC) - 1 AS high FROM n),
    r AS (SELECT *, min(weight * (high - level + 1) / (n + 5)) OVER (PARTITION BY dim ORDER BY level DESC) AS worth FROM g),
    q AS (SELECT *, row_number() OVER o AS at, sum(n) OVER o AS rows_to, sum(weight * 0.1375 * (high - level + 1)) OVER o AS covered
          FROM r WINDOW o AS (ORDER BY worth DESC, dim, level DESC ROWS UNBOUNDED PRECEDING))
    SELECT (SELECT kw.vector(array_agg(dim), array_agg(weight)) FROM w), array_agg(key ORDER BY at), array_agg(level ORDER BY at),
           array_agg(high ORDER BY at), array_agg(rows_to ORDER BY at),
           array_agg((SELECT sum(weight) * 2.2 FROM w) - covered ORDER BY at), count(*)
    INTO v_query, v_keys, v_low, v_high, v_rows, v_bound, v_all FROM q;
    IF v_all = 0 THEN
        RETURN;
    END IF;
    FOREACH v_limit IN ARRAY ARRAY[p_first, least(3 * p_first, p_budget), p_budget]::float8[] LOOP
        v_from := v_to + 1;
        WHILE v_to < v_all AND (v_to = 0 OR (v_bound[v_to] > v_theta AND v_rows[v_to] < v_limit AND v_rows[v_to + 1] <= 2 * p_budget)) LOOP
            v_to := v_to + 1;
        END LOOP;
        EXIT WHEN v_to < v_from;
        SELECT array_agg(v_keys[j] | l) INTO v_set FROM generate_series(v_from, v_to) j, generate_series(v_low[j], v_high[j]) l;
        SELECT array_agg(x.id), array_agg(x.s) INTO v_ids, v_scores
        FROM (SELECT y.id, y.s
              FROM ((SELECT d.chunk_id AS id, (-(d.sv <#> v_query))::real AS s FROM kw.doc d
                     WHERE d.tenant_id IS NOT DISTINCT FROM v_tenant AND d.keys && v_set ORDER BY 2 DESC, 1 LIMIT p_k)
                    UNION SELECT * FROM unnest(v_ids, v_scores)) y ORDER BY y.s DESC, y.id LIMIT p_k) x;
        IF cardinality(v_scores) >= p_k THEN
            v_theta := v_scores[p_k];
        END IF;
        EXIT WHEN v_bound[v_to] <= v_theta;
    END LOOP;
    RETURN QUERY SELECT u.i, u.s, v_to = v_all OR v_bound[v_to] <= v_theta * 1.0001 FROM unnest(v_ids, v_scores) u(i, s);
END
$$;

-- The p_k best of the given passages, each scored: for filters that keep few.
CREATE FUNCTION search_among(p_words text[], p_times int[], p_chunks uuid[], p_k int) RETURNS TABLE (chunk_id uuid, score real)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 300
SET search_path = pg_catalog, kw, ext, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_query  sparsevec;
BEGIN
    SELECT kw.vector(array_agg(w.dim), array_agg(w.weight)) INTO v_query FROM kw.weights(v_tenant, p_words, p_times) w;
    RETURN QUERY
        SELECT x.id, x.s FROM (SELECT d.chunk_id AS id, (-(d.sv <#> v_query))::real AS s FROM kw.doc d
                               WHERE d.tenant_id = v_tenant AND d.chunk_id = ANY (p_chunks) OFFSET 0) x
        WHERE x.s > 0 ORDER BY x.s DESC, x.id LIMIT least(greatest(p_k, 1), 100000);
END
$$;

-- Everything again from dms.chunk. Not for the application: the owner's, at a migration.
CREATE FUNCTION rebuild() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, kw, ext, pg_temp SET extra_float_digits = -9 AS $$
BEGIN
    DELETE FROM kw.delta;
    DELETE FROM kw.stat;
    DELETE FROM kw.passages;
    DELETE FROM kw.doc;
    INSERT INTO kw.doc (tenant_id, chunk_id, keys, sv)
        SELECT c.tenant_id, c.id, e.keys, e.sv FROM dms.chunk c CROSS JOIN LATERAL kw.entry(c.tenant_id, c.tsv) e;
    INSERT INTO kw.passages SELECT tenant_id, count(*) FROM kw.doc GROUP BY 1;
    INSERT INTO kw.stat SELECT tenant_id, k, count(*) FROM kw.doc, unnest(keys) k GROUP BY 1, 2;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kw FROM PUBLIC;
GRANT USAGE ON SCHEMA kw TO dms_app;
GRANT EXECUTE ON FUNCTION search(text[], int[], int, int, int), search_among(text[], int[], uuid[], int), passage_count(), fold(int) TO dms_app;
SELECT rebuild();

RESET ROLE;
SET LOCAL search_path = dms, ext;
CREATE TRIGGER keyword_insert AFTER INSERT ON chunk REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kw.on_chunk();
CREATE TRIGGER keyword_update AFTER UPDATE ON chunk REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kw.on_chunk();
CREATE TRIGGER keyword_delete AFTER DELETE ON chunk REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION kw.on_chunk();

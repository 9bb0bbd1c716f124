-- 0015_erasure: deletes an organization whose time has come, all rows of all tables, a bounded number at a time. After every migration that makes
-- tables of tenants; a later one adds the policy to its own (test/store/test_erasure.py looks). Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;

-- The owner of the tables, whom row level security holds too, may delete in the one organization that organization_erase has opened; to everybody else
-- the setting means nothing. People and the words of search it reaches as a member of dms_search.
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
             WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind IN ('r', 'p') LOOP
        EXECUTE format('CREATE POLICY erasure ON %I TO dms_owner USING (tenant_id = nullif(current_setting(''app.erasing'', true), '''')::uuid)', t);
    END LOOP;
END
$$;

-- Tables by their foreign keys, those that nothing refers to first; within a call at most p_rows rows of each. A table that refers to itself is taken
-- as a whole when its parts cannot go one by one. Then what the statistics of search know, at last the organization's own row, which the keys hold
-- until nothing else is left. Returns how many rows went; 0: nothing is due, or somebody else is at it. The audit log goes with the rest; so do people
-- who belong to no other organization. Files are not touched.
CREATE FUNCTION organization_erase(p_rows int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_tenant uuid;
    v_table  regclass;
    v_some   bigint;
    v_all    bigint := 0;
BEGIN
    SELECT t.tenant_id INTO v_tenant FROM dms.tenant t WHERE t.deletes_at <= now() ORDER BY t.deletes_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM set_config('app.erasing', v_tenant::text, true);
    FOR v_table IN
        WITH RECURSIVE ours AS (
            SELECT a.attrelid AS t FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped
              AND c.relname <> 'tenant'),
        deep(t, depth) AS (
            SELECT t, 0 FROM ours
            UNION
            SELECT k.confrelid, d.depth + 1 FROM deep d JOIN pg_constraint k ON k.conrelid = d.t AND k.contype = 'f' AND k.confrelid <> k.conrelid
            WHERE d.depth < 20)
        SELECT o.t::regclass FROM ours o JOIN deep d ON d.t = o.t GROUP BY o.t ORDER BY max(d.depth), o.t
    LOOP
        v_all := v_all + dms.erase_some(v_table, v_tenant, p_rows);
    END LOOP;
    IF v_all = 0 AND pg_try_advisory_xact_lock(7142001) THEN -- else kw.fold is adding up: the next call
        FOREACH v_table IN ARRAY ARRAY['kw.delta', 'kw.doc', 'kw.stat', 'kw.passages']::regclass[] LOOP
            v_all := v_all + dms.erase_some(v_table, v_tenant, p_rows);
        END LOOP;
        IF v_all = 0 THEN
            v_all := dms.erase_some('dms.tenant', v_tenant, 1);
        END IF;
    END IF;
    PERFORM set_config('app.erasing', '', true);
    RETURN v_all;
END
$$;

-- Part of the above: some rows of one table.
CREATE FUNCTION erase_some(p_table regclass, p_tenant uuid, p_rows int) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_part   text := format('WITH gone AS (DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE tenant_id = $1 LIMIT $2)) RETURNING *)', p_table, p_table);
    v_people uuid[];
    v_person uuid;
    v_rows   bigint;
BEGIN
    IF p_table <> 'dms.membership'::regclass THEN
        EXECUTE v_part || ' SELECT count(*) FROM gone' INTO v_rows USING p_tenant, p_rows;
        RETURN v_rows;
    END IF;
    EXECUTE v_part || ' SELECT count(*), array_agg(user_id) FROM gone' INTO v_rows, v_people USING p_tenant, p_rows;
    FOREACH v_person IN ARRAY coalesce(v_people, '{}') LOOP
        BEGIN
            DELETE FROM dms.person p WHERE p.id = v_person;
        EXCEPTION WHEN foreign_key_violation THEN
            NULL; -- belongs to another organization too, or did
        END;
    END LOOP;
    RETURN v_rows;
EXCEPTION WHEN foreign_key_violation THEN
    IF NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = p_table AND k.confrelid = p_table AND k.contype = 'f') THEN
        RETURN 0; -- other tables still hold its rows: the next call
    END IF;
    BEGIN
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', p_table) USING p_tenant;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        RETURN v_rows;
    EXCEPTION WHEN foreign_key_violation THEN
        RETURN 0;
    END;
END
$$;
REVOKE ALL ON FUNCTION organization_erase(int), erase_some(regclass, uuid, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION organization_erase(int) TO dms_app;

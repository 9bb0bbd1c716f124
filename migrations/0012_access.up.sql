-- 0012_access: who may see and change which folder and document. Runs as dms_owner in one transaction.
--
-- What nothing was said about is open: every member sees it and does with it what the role says (acl_id null). A folder or document may be
-- restricted (only who was granted access, its owner, and whoever may give access) and may have grants, which let people into restricted places
-- and let them do there what their role alone would not. Both go down to what lies below, up to the next restriction.
--
-- Truth: dms.acl (one row a folder or document that something was said about; its id is that thing's own) and dms.access_grant. Derived from
-- them: dms.acl_entry (all who have access to such a thing, what comes down from above included) and acl_id of folders and documents (the
-- nearest thing at or above them in dms.acl). So a question is one lookup whatever the depth; other grants rewrite a few entries, and only a
-- restriction that comes or goes, or a move, rewrites the things below. Functions of dms_search alone write the four.
--
-- app.level says by which right a request was let in: 0 or nothing, the role; 1 to 3, a grant alone (read, write, manage). Then only what
-- explicit grants of that level open is there at all.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

CREATE TYPE uuidrange AS RANGE (subtype = uuid, multirange_type_name = uuidmultirange); -- a set of ids that is searched by halves

CREATE TABLE acl (
    tenant_id   uuid NOT NULL REFERENCES tenant,
    id          uuid NOT NULL,    -- of the folder or document
    object_type text NOT NULL CHECK (object_type IN ('folder', 'document')),
    restricted  boolean NOT NULL, -- nothing comes down from above
    parent_id   uuid,             -- the next one above; null: all members
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES acl
);
CREATE INDEX acl_by_parent ON acl (parent_id, tenant_id);

CREATE TABLE access_grant (
    tenant_id      uuid NOT NULL,
    acl_id         uuid NOT NULL,
    principal_type text NOT NULL CHECK (principal_type IN ('user', 'group', 'role')),
    principal_id   uuid NOT NULL, -- of a role that every organization has: role_principal
    level          smallint NOT NULL CHECK (level BETWEEN 1 AND 3), -- read, write, manage
    created_by     uuid,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, acl_id, principal_id),
    FOREIGN KEY (tenant_id, acl_id) REFERENCES acl ON DELETE CASCADE
);
CREATE INDEX access_grant_by_principal ON access_grant (principal_id, tenant_id);

CREATE TABLE acl_entry (
    tenant_id uuid NOT NULL,
    acl_id    uuid NOT NULL,
    principal uuid NOT NULL, -- a person, group or role; the tenant's own id: every member, as the role says
    level     smallint NOT NULL CHECK (level BETWEEN 1 AND 3),
    PRIMARY KEY (tenant_id, principal, acl_id),
    FOREIGN KEY (tenant_id, acl_id) REFERENCES acl ON DELETE CASCADE
);
CREATE INDEX acl_entry_by_acl ON acl_entry (acl_id, tenant_id);

-- The further indexes do not begin with the tenant: to a planner that knows nothing of the tenant, any that does is as good as the key.
-- No foreign keys: a check at every upload of what access_apply alone writes. test/store/test_access.py holds them against a model.
ALTER TABLE folder ADD COLUMN acl_id uuid;
ALTER TABLE document ADD COLUMN acl_id uuid;
-- By acl, what is open under the tenant's own id: IS NULL would not do, PostgreSQL sees no order behind it; nor coalesce, which counts as leaky.
CREATE INDEX document_by_acl ON document ((CASE WHEN acl_id IS NULL THEN tenant_id ELSE acl_id END), tenant_id, created_at DESC, id DESC)
    WHERE trashed_at IS NULL;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['acl', 'access_grant', 'acl_entry'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN tenant_id SET (n_distinct = 1)', t); -- see 0005_plans
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO dms_app USING (tenant_id = current_setting(''app.tenant_id'')::uuid)'
                       ' WITH CHECK (tenant_id = current_setting(''app.tenant_id'')::uuid)', t);
        EXECUTE format('CREATE POLICY operators ON %I FOR SELECT TO dms_ops USING (true)', t);
        EXECUTE format('CREATE POLICY functions ON %I TO dms_search USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO dms_app, dms_ops', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO dms_search', t);
    END LOOP;
END
$$;
CREATE POLICY access ON folder TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY access ON document FOR UPDATE TO dms_search USING (true) WITH CHECK (true); -- SELECT: embed_missing of 0004
GRANT SELECT, UPDATE (parent_id, depth, acl_id, revision, updated_at) ON folder TO dms_search;
GRANT UPDATE (acl_id) ON document TO dms_search;

-- ---------------------------------------------------------------------------------------------------------------------------------
-- The question
-- ---------------------------------------------------------------------------------------------------------------------------------

-- The id under which a role of every organization is granted access; null for others. store/db.h has system_user's.
CREATE FUNCTION role_principal(p_role text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE p_role WHEN 'Owner' THEN '00000000-0000-0000-0000-000000000011' WHEN 'Admin' THEN '00000000-0000-0000-0000-000000000012'
                       WHEN 'Editor' THEN '00000000-0000-0000-0000-000000000013' WHEN 'Viewer' THEN '00000000-0000-0000-0000-000000000014'
                       WHEN 'API_Only' THEN '00000000-0000-0000-0000-000000000015' END::uuid
$$;

CREATE FUNCTION system_user_id() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '00000000-0000-0000-0000-000000000001'::uuid
$$;

-- By the role, and not by a grant alone.
CREATE FUNCTION by_role() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT NOT coalesce(nullif(current_setting('app.level', true), ''), '0')::int::boolean
$$;

-- Whom a grant may name so that it is this person's. Null: everything is (the system, and whoever may give access); empty: not a member.
CREATE FUNCTION principals_of(p_user uuid) RETURNS uuid[] LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v_tenant  uuid := current_setting('app.tenant_id')::uuid;
    v_role    text;
    v_role_id uuid;
BEGIN
    IF p_user = dms.system_user_id() THEN
        RETURN NULL;
    END IF;
    SELECT m.role, m.role_id INTO v_role, v_role_id FROM dms.membership m
    WHERE m.tenant_id = v_tenant AND m.user_id = p_user
        AND num_nulls(m.removed_at) = 1; -- not IS NULL: a planner without statistics would take an index of all members
    IF v_role IS NULL THEN
        RETURN '{}';
    END IF;
    IF v_role IN ('Owner', 'Admin') OR v_role_id IS NOT NULL AND EXISTS (
        SELECT FROM dms.role_permission p WHERE p.tenant_id = v_tenant AND p.role_id = v_role_id AND p.permission = 'folder.grant') THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY[p_user, v_tenant, coalesce(v_role_id, dms.role_principal(v_role))]
           || ARRAY(SELECT g.group_id FROM dms.group_member g WHERE g.tenant_id = v_tenant AND g.user_id = p_user);
END
$$;

-- The acls in which a person has at least that level; p_granted: by explicit grants alone.
CREATE FUNCTION acls_of(p_user uuid, p_level int, p_granted boolean) RETURNS uuidmultirange LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_mine   uuid[] := dms.principals_of(p_user);
BEGIN
    IF v_mine IS NULL THEN
        RETURN '{(,)}'::dms.uuidmultirange;
    END IF;
    RETURN coalesce((SELECT range_agg(dms.uuidrange(e.acl_id, e.acl_id, '[]')) FROM unnest(v_mine) p(id) CROSS JOIN LATERAL (
                         SELECT x.acl_id, x.level FROM dms.acl_entry x WHERE x.tenant_id = v_tenant AND x.principal = p.id OFFSET 0) e
                     WHERE e.level >= p_level AND (p.id <> v_tenant OR NOT p_granted)), '{}'::dms.uuidmultirange);
END
$$;

-- The same of whoever asks. Policies call it once a statement, and only when something is met that is not open.
CREATE FUNCTION my_acls(p_level int) RETURNS uuidmultirange LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN dms.acls_of(nullif(current_setting('app.user_id', true), '')::uuid,
                       greatest(p_level, coalesce(nullif(current_setting('app.level', true), ''), '0')::int), NOT dms.by_role());
END
$$;

-- What a person is told apart by before any statement runs: the highest level of an own grant, plus 4 when there are things that the person does
-- not see and no more than p_most acls that the person does: then lists go from acl to acl instead of passing over what is not seen.
CREATE FUNCTION my_access(p_most int DEFAULT 500) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_mine   uuid[];
    v_level  int;
    v_count  int;
    v_acls   dms.uuidmultirange;
BEGIN
    IF NOT EXISTS (SELECT FROM dms.acl a WHERE a.tenant_id = v_tenant) THEN
        RETURN 0;
    END IF;
    v_mine := dms.principals_of(nullif(current_setting('app.user_id', true), '')::uuid);
    IF v_mine IS NULL THEN
        RETURN 0;
    END IF;
    SELECT coalesce(max(e.level) FILTER (WHERE p.id <> v_tenant), 0), count(DISTINCT e.acl_id),
           coalesce(range_agg(dms.uuidrange(e.acl_id, e.acl_id, '[]')), '{}'::dms.uuidmultirange)
    INTO v_level, v_count, v_acls
    FROM unnest(v_mine) p(id) CROSS JOIN LATERAL (
        SELECT x.acl_id, x.level FROM dms.acl_entry x WHERE x.tenant_id = v_tenant AND x.principal = p.id OFFSET 0) e;
    IF v_count <= p_most AND EXISTS (SELECT FROM dms.acl a WHERE a.tenant_id = v_tenant AND NOT v_acls @> a.id) THEN
        RETURN v_level + 4;
    END IF;
    RETURN v_level;
END
$$;

-- The policies beside `tenant`. acl_id is looked at first: what is open costs a glance.
DO $$
DECLARE
    t text;
    e text := '(acl_id IS NULL AND dms.by_role()) OR (SELECT dms.my_acls(%s)) @> acl_id';
BEGIN
    FOREACH t IN ARRAY ARRAY['folder', 'document'] LOOP
        EXECUTE format('CREATE POLICY may_see ON %I AS RESTRICTIVE FOR SELECT TO dms_app USING (' || e || ')', t, 1);
        EXECUTE format('CREATE POLICY may_add ON %I AS RESTRICTIVE FOR INSERT TO dms_app WITH CHECK (' || e || ')', t, 2);
        EXECUTE format('CREATE POLICY may_change ON %I AS RESTRICTIVE FOR UPDATE TO dms_app USING (' || e || ') WITH CHECK (' || e || ')', t, 2, 2);
        EXECUTE format('CREATE POLICY may_remove ON %I AS RESTRICTIVE FOR DELETE TO dms_app USING (' || e || ')', t, 2);
    END LOOP;
END
$$;

-- Ids that stand in the row of something visible, but are of something that may not be; asked only where that can be.
CREATE FUNCTION shown_document(p_id uuid) RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid; -- a variable, as everywhere here: see docs/decisions/0009
BEGIN
    RETURN (SELECT d.id FROM dms.document d WHERE d.tenant_id = v_tenant AND d.id = p_id);
END
$$;

CREATE FUNCTION shown_folder(p_id uuid) RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid; -- a variable, as everywhere here: see docs/decisions/0009
BEGIN
    RETURN (SELECT f.id FROM dms.folder f WHERE f.tenant_id = v_tenant AND f.id = p_id);
END
$$;

-- As in 0001, but for twins and folders that the reader may not see. Whatever inherits (acl_id is not its own id) sees its folder too.
CREATE OR REPLACE FUNCTION document_json(d document, owner_name text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', d.id, 'title', d.title, 'name', d.name, 'mime_type', d.mime_type, 'size', d.size, 'sha256', d.sha256,
        'version', d.version, 'version_label', d.version_label,
        'status', CASE WHEN d.trashed_at IS NULL THEN d.status ELSE 'deleted' END, 'processing_error', d.processing_error,
        'processing_note', d.processing_note, 'lifecycle', d.lifecycle, 'classification', d.classification,
        'folder_id', CASE WHEN d.acl_id = d.id THEN dms.shown_folder(d.folder_id) ELSE d.folder_id END,
        'tags', d.tags, 'type', d.type, 'metadata', d.metadata, 'page_count', d.page_count, 'chunk_count', d.chunk_count,
        'language', d.language, 'owner', json_build_object('id', d.owner_id, 'name', owner_name),
        'duplicate_of', CASE WHEN d.duplicate_of IS NOT NULL THEN dms.shown_document(d.duplicate_of) END,
        'created_at', d.created_at, 'updated_at', d.updated_at, 'processed_at', d.processed_at, 'trashed_at', d.trashed_at)
$$;

-- A folder as the outside sees it.
CREATE FUNCTION folder_json(f folder) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', f.id, 'name', f.name, 'parent_id', CASE WHEN f.acl_id = f.id AND f.parent_id IS NOT NULL THEN dms.shown_folder(f.parent_id) ELSE f.parent_id END,
        'created_at', f.created_at, 'updated_at', f.updated_at)
$$;

-- Grants as the outside sees them.
CREATE FUNCTION grant_json(g access_grant) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('principal_type', g.principal_type, 'principal_id', coalesce(b.name, g.principal_id::text),
        'name', CASE g.principal_type
            WHEN 'user' THEN (SELECT m.name FROM dms.membership m WHERE m.tenant_id = g.tenant_id AND m.user_id = g.principal_id)
            WHEN 'group' THEN (SELECT p.name FROM dms.member_group p WHERE p.tenant_id = g.tenant_id AND p.id = g.principal_id)
            ELSE coalesce(b.name, (SELECT r.name FROM dms.role r WHERE r.tenant_id = g.tenant_id AND r.id = g.principal_id)) END,
        'level', CASE g.level WHEN 1 THEN 'read' WHEN 2 THEN 'write' ELSE 'manage' END)
    FROM (SELECT (SELECT n FROM unnest(ARRAY['Owner', 'Admin', 'Editor', 'Viewer', 'API_Only']) n WHERE dms.role_principal(n) = g.principal_id) AS name) b
$$;

-- What was said about a thing, and what comes down to it. p_acl: its acl_id. Folders above that the reader may not see are not named.
CREATE FUNCTION access_json(p_tenant uuid, p_id uuid, p_acl uuid) RETURNS json LANGUAGE sql STABLE AS $$
    WITH RECURSIVE own AS (
        SELECT a.* FROM dms.acl a WHERE a.tenant_id = p_tenant AND a.id = p_id),
    above(id, parent_id, restricted, step) AS (
        SELECT a.id, a.parent_id, a.restricted, 1 FROM dms.acl a
        WHERE a.tenant_id = p_tenant
          AND a.id = CASE WHEN p_acl = p_id THEN (SELECT o.parent_id FROM own o WHERE NOT o.restricted) ELSE p_acl END
        UNION ALL
        SELECT a.id, a.parent_id, a.restricted, u.step + 1 FROM above u CROSS JOIN LATERAL (
            SELECT * FROM dms.acl WHERE tenant_id = p_tenant AND id = u.parent_id LIMIT 1) a
        WHERE NOT u.restricted)
    SELECT json_build_object(
        'restricted', EXISTS (SELECT FROM own o WHERE o.restricted),
        'everyone', NOT EXISTS (SELECT FROM own o WHERE o.restricted) AND NOT EXISTS (SELECT FROM above a WHERE a.restricted),
        'grants', coalesce((SELECT json_agg(dms.grant_json(g) ORDER BY g.created_at, g.principal_id) FROM dms.access_grant g
                            WHERE g.tenant_id = p_tenant AND g.acl_id = p_id), '[]'),
        'inherited', coalesce((SELECT json_agg((dms.grant_json(g)::jsonb || jsonb_build_object('folder', (
                                          SELECT jsonb_build_object('id', f.id, 'name', f.name) FROM dms.folder f
                                          WHERE f.tenant_id = p_tenant AND f.id = a.id)))::json
                                      ORDER BY a.step, g.created_at, g.principal_id)
                               FROM above a CROSS JOIN LATERAL (
                                   SELECT * FROM dms.access_grant WHERE tenant_id = p_tenant AND acl_id = a.id OFFSET 0) g), '[]'))
$$;

-- ---------------------------------------------------------------------------------------------------------------------------------
-- The derived
-- ---------------------------------------------------------------------------------------------------------------------------------

-- One change of an organization's access at a time.
CREATE FUNCTION access_serialize(p_tenant uuid) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('access|' || p_tenant::text, 0))
$$;

-- The entries of these acls and of all that take theirs from them, step by step down.
CREATE FUNCTION access_rebuild(p_tenant uuid, p_acls uuid[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_level uuid[] := p_acls;
BEGIN
    WHILE cardinality(v_level) > 0 LOOP
        DELETE FROM dms.acl_entry e WHERE e.tenant_id = p_tenant AND e.acl_id = ANY (v_level);
        INSERT INTO dms.acl_entry (tenant_id, acl_id, principal, level)
        SELECT p_tenant, x.acl_id, x.principal, max(x.level)
        FROM (SELECT a.id, e.principal, e.level FROM dms.acl a JOIN dms.acl_entry e ON e.tenant_id = p_tenant AND e.acl_id = a.parent_id
              WHERE a.tenant_id = p_tenant AND a.id = ANY (v_level) AND NOT a.restricted
              UNION ALL
              SELECT a.id, p_tenant, 3 FROM dms.acl a
              WHERE a.tenant_id = p_tenant AND a.id = ANY (v_level) AND NOT a.restricted AND a.parent_id IS NULL
              UNION ALL
              SELECT g.acl_id, g.principal_id, g.level FROM dms.access_grant g WHERE g.tenant_id = p_tenant AND g.acl_id = ANY (v_level)
              UNION ALL
              SELECT a.id, coalesce(f.created_by, d.owner_id), 3
              FROM dms.acl a LEFT JOIN dms.folder f ON f.tenant_id = p_tenant AND f.id = a.id LEFT JOIN dms.document d ON d.tenant_id = p_tenant AND d.id = a.id
              WHERE a.tenant_id = p_tenant AND a.id = ANY (v_level) AND a.restricted) x(acl_id, principal, level)
        WHERE x.principal IS NOT NULL
        GROUP BY x.acl_id, x.principal;
        v_level := ARRAY(SELECT a.id FROM dms.acl a WHERE a.tenant_id = p_tenant AND a.parent_id = ANY (v_level) AND NOT a.restricted);
    END LOOP;
END
$$;

-- Brings a thing and what lies below it in line, after something was said about it (p_own: it has a row of dms.acl), or it lies elsewhere. Folders
-- are locked before it is looked into them, and whoever puts something into a folder holds it shared (place_in_folder): nothing slips in unseen.
CREATE FUNCTION access_apply(p_type text, p_id uuid, p_own boolean, p_most int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_old    uuid;
    v_above  uuid;
    v_new    uuid;
    v_level  uuid[] := ARRAY[p_id];
    v_below  uuid[] := '{}';
    v_heirs  uuid[] := '{}';
BEGIN
    IF p_type = 'folder' THEN
        SELECT f.acl_id, u.acl_id INTO v_old, v_above FROM dms.folder f LEFT JOIN dms.folder u ON u.tenant_id = f.tenant_id AND u.id = f.parent_id
        WHERE f.tenant_id = v_tenant AND f.id = p_id;
    ELSE
        SELECT d.acl_id, u.acl_id INTO v_old, v_above FROM dms.document d LEFT JOIN dms.folder u ON u.tenant_id = d.tenant_id AND u.id = d.folder_id
        WHERE d.tenant_id = v_tenant AND d.id = p_id;
    END IF;
    v_new := CASE WHEN p_own THEN p_id ELSE v_above END;
    UPDATE dms.acl a SET parent_id = v_above WHERE a.tenant_id = v_tenant AND a.id = p_id AND p_own;
    IF v_new IS DISTINCT FROM v_old AND p_type = 'document' THEN
        UPDATE dms.document d SET acl_id = v_new WHERE d.tenant_id = v_tenant AND d.id = p_id;
    ELSIF v_new IS DISTINCT FROM v_old THEN
        WHILE cardinality(v_level) > 0 LOOP
            PERFORM FROM dms.folder f WHERE f.tenant_id = v_tenant AND f.id = ANY (v_level) ORDER BY f.id FOR NO KEY UPDATE;
            v_below := v_below || v_level;
            v_level := ARRAY(SELECT f.id FROM dms.folder f WHERE f.tenant_id = v_tenant AND f.parent_id = ANY (v_level) AND f.acl_id IS DISTINCT FROM f.id LIMIT p_most);
            EXIT WHEN cardinality(v_below) > p_most;
        END LOOP;
        IF cardinality(v_below) + (SELECT count(*) FROM (SELECT FROM dms.document d WHERE d.tenant_id = v_tenant AND d.folder_id = ANY (v_below) LIMIT p_most + 1) x) > p_most THEN
            RAISE EXCEPTION USING ERRCODE = 'DM422', MESSAGE = format(
                'There are more than %s folders and documents below this folder, too many for one step. Restrict, open or move the folders in it first.', p_most);
        END IF;
        UPDATE dms.folder f SET acl_id = v_new WHERE f.tenant_id = v_tenant AND f.id = ANY (v_below);
        UPDATE dms.document d SET acl_id = v_new WHERE d.tenant_id = v_tenant AND d.folder_id = ANY (v_below) AND d.acl_id IS DISTINCT FROM d.id;
        v_heirs := ARRAY(SELECT f.id FROM dms.folder f WHERE f.tenant_id = v_tenant AND f.parent_id = ANY (v_below) AND f.acl_id = f.id
                         UNION ALL
                         SELECT d.id FROM dms.document d WHERE d.tenant_id = v_tenant AND d.folder_id = ANY (v_below) AND d.acl_id = d.id);
        UPDATE dms.acl a SET parent_id = v_new WHERE a.tenant_id = v_tenant AND a.id = ANY (v_heirs);
    END IF;
    IF NOT p_own THEN
        DELETE FROM dms.acl a WHERE a.tenant_id = v_tenant AND a.id = p_id;
    END IF;
    PERFORM dms.access_rebuild(v_tenant, CASE WHEN p_own THEN ARRAY[p_id]
                                              ELSE ARRAY(SELECT a.id FROM dms.acl a WHERE a.tenant_id = v_tenant AND a.id = ANY (v_heirs) AND NOT a.restricted) END);
END
$$;

-- access_set: what is said about a folder or document from now on. The caller has locked it, as somebody who may.
CREATE FUNCTION access_set(p_type text, p_id uuid, p_restricted boolean, p_types text[], p_ids uuid[], p_levels int[], p_by uuid, p_most int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_own    boolean := p_restricted OR cardinality(p_ids) > 0;
BEGIN
    PERFORM dms.access_serialize(v_tenant);
    DELETE FROM dms.access_grant g WHERE g.tenant_id = v_tenant AND g.acl_id = p_id AND NOT g.principal_id = ANY (p_ids);
    IF v_own THEN
        INSERT INTO dms.acl AS a (tenant_id, id, object_type, restricted) VALUES (v_tenant, p_id, p_type, p_restricted)
        ON CONFLICT (tenant_id, id) DO UPDATE SET restricted = excluded.restricted;
        INSERT INTO dms.access_grant AS g (tenant_id, acl_id, principal_type, principal_id, level, created_by)
        SELECT v_tenant, p_id, u.type, u.id, u.level, p_by FROM unnest(p_types, p_ids, p_levels) u(type, id, level)
        ON CONFLICT (tenant_id, acl_id, principal_id) DO UPDATE SET principal_type = excluded.principal_type, level = excluded.level,
            created_by = excluded.created_by, created_at = now()
        WHERE g.level <> excluded.level OR g.principal_type <> excluded.principal_type;
    END IF;
    PERFORM dms.access_apply(p_type, p_id, v_own, p_most);
END
$$;

-- folder_place: the folder lies in p_parent (null: at the top) from now on. The caller has locked both, as somebody who may.
CREATE FUNCTION folder_place(p_id uuid, p_parent uuid, p_most int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_below  uuid[];
    v_depth  int;
    v_shift  int;
BEGIN
    PERFORM dms.access_serialize(v_tenant);
    WITH RECURSIVE below(id, depth) AS (
        SELECT f.id, f.depth FROM dms.folder f WHERE f.tenant_id = v_tenant AND f.id = p_id
        UNION ALL SELECT f.id, f.depth FROM below b JOIN dms.folder f ON f.tenant_id = v_tenant AND f.parent_id = b.id)
    SELECT array_agg(b.id), max(b.depth), coalesce((SELECT u.depth FROM dms.folder u WHERE u.tenant_id = v_tenant AND u.id = p_parent), 0) + 1 - min(b.depth)
    INTO v_below, v_depth, v_shift FROM (SELECT * FROM below LIMIT p_most + 1) b;
    IF p_parent = ANY (v_below) THEN
        RAISE EXCEPTION USING ERRCODE = 'DM422', MESSAGE = 'A folder cannot lie in itself or in one of the folders below it.';
    ELSIF v_depth + v_shift > 32 THEN
        RAISE EXCEPTION USING ERRCODE = 'DM422', MESSAGE = 'Folders lie within one another at most 32 deep.';
    ELSIF cardinality(v_below) > p_most THEN
        RAISE EXCEPTION USING ERRCODE = 'DM422', MESSAGE = format('There are more than %s folders below this folder, too many for one step.', p_most);
    END IF;
    UPDATE dms.folder f SET parent_id = CASE WHEN f.id = p_id THEN p_parent ELSE f.parent_id END, depth = f.depth + v_shift
    WHERE f.tenant_id = v_tenant AND f.id = ANY (v_below);
    PERFORM dms.access_apply('folder', p_id, EXISTS (SELECT FROM dms.acl a WHERE a.tenant_id = v_tenant AND a.id = p_id), p_most);
END
$$;

-- A document that something was said about lies elsewhere: what comes down to it is other people's.
CREATE FUNCTION access_moved(p_id uuid, p_acl uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
BEGIN
    UPDATE dms.acl a SET parent_id = p_acl WHERE a.tenant_id = v_tenant AND a.id = p_id;
    PERFORM dms.access_rebuild(v_tenant, ARRAY[p_id]);
END
$$;

-- Whoever puts something into a folder may write there (FOR SHARE asks may_change too), and holds it until the end: it is not restricted meanwhile.
-- A folder that is not there, or not for this person, is the same.
CREATE FUNCTION place_in_folder() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_own boolean := TG_OP = 'UPDATE' AND NEW.acl_id IS NOT DISTINCT FROM NEW.id;
    v_acl uuid;
BEGIN
    IF v_own THEN
        PERFORM dms.access_serialize(NEW.tenant_id);
    END IF;
    IF NEW.folder_id IS NOT NULL THEN
        SELECT f.acl_id INTO v_acl FROM dms.folder f WHERE f.tenant_id = NEW.tenant_id AND f.id = NEW.folder_id FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = 'there is no such folder';
        END IF;
    END IF;
    IF v_own THEN
        PERFORM dms.access_moved(NEW.id, v_acl);
    ELSE
        NEW.acl_id := v_acl;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER place_new BEFORE INSERT ON document FOR EACH ROW WHEN (NEW.folder_id IS NOT NULL) EXECUTE FUNCTION place_in_folder();
CREATE TRIGGER place_moved BEFORE UPDATE OF folder_id ON document FOR EACH ROW WHEN (NEW.folder_id IS DISTINCT FROM OLD.folder_id)
    EXECUTE FUNCTION place_in_folder();

CREATE FUNCTION place_below() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT f.acl_id, f.depth + 1 INTO NEW.acl_id, NEW.depth FROM dms.folder f WHERE f.tenant_id = NEW.tenant_id AND f.id = NEW.parent_id FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = 'there is no such folder';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER place_new BEFORE INSERT ON folder FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION place_below();

-- What was said about a thing goes with it. Nothing that was said about others hangs on it any more, for a folder goes empty, but where a whole
-- organization goes.
CREATE FUNCTION access_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    UPDATE dms.acl a SET parent_id = NULL WHERE a.tenant_id = OLD.tenant_id AND a.parent_id = OLD.id;
    DELETE FROM dms.acl a WHERE a.tenant_id = OLD.tenant_id AND a.id = OLD.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER access_gone AFTER DELETE ON folder FOR EACH ROW WHEN (OLD.acl_id = OLD.id) EXECUTE FUNCTION access_gone();
CREATE TRIGGER access_gone AFTER DELETE ON document FOR EACH ROW WHEN (OLD.acl_id = OLD.id) EXECUTE FUNCTION access_gone();

-- Grants end with the member, group or role that they name: whoever comes back begins anew. The argument is the column with the id.
CREATE FUNCTION access_forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_principal uuid := to_jsonb(OLD) ->> TG_ARGV[0];
    v_acls      uuid[];
BEGIN
    IF EXISTS (SELECT FROM dms.access_grant g WHERE g.tenant_id = OLD.tenant_id AND g.principal_id = v_principal) THEN
        PERFORM dms.access_serialize(OLD.tenant_id);
        WITH gone AS (DELETE FROM dms.access_grant g WHERE g.tenant_id = OLD.tenant_id AND g.principal_id = v_principal RETURNING g.acl_id)
        SELECT array_agg(acl_id) INTO v_acls FROM gone;
        PERFORM dms.access_rebuild(OLD.tenant_id, v_acls);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER access_forget AFTER UPDATE OF removed_at ON membership FOR EACH ROW WHEN (OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL)
    EXECUTE FUNCTION access_forget('user_id');
CREATE TRIGGER access_forget AFTER DELETE ON member_group FOR EACH ROW EXECUTE FUNCTION access_forget('id');
CREATE TRIGGER access_forget AFTER DELETE ON role FOR EACH ROW EXECUTE FUNCTION access_forget('id');

DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS name, p.prosecdef, p.proname FROM pg_proc p WHERE p.pronamespace = 'dms'::regnamespace
             AND p.proname IN ('access_rebuild', 'access_apply', 'access_set', 'folder_place', 'access_moved', 'access_gone', 'access_forget') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO dms_search', f.name);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.name);
        IF f.proname IN ('access_set', 'folder_place', 'access_moved') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dms_app', f.name);
        END IF;
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

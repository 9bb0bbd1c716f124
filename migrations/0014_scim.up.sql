-- 0014_scim: people and groups kept by an organization's own directory (SCIM 2.0, RFC 7643, 7644). Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

-- What the directory says of a member. The person's own data (address to sign in with, name, password) are theirs and are never changed by it.
CREATE TABLE scim_user (
    tenant_id    uuid NOT NULL,
    user_id      uuid NOT NULL,
    user_name    text NOT NULL CHECK (length(user_name) BETWEEN 1 AND 254),
    external_id  text CHECK (length(external_id) BETWEEN 1 AND 254),
    email        text NOT NULL,
    display_name text,
    formatted    text,
    given_name   text,
    family_name  text,
    active       boolean, -- NULL: taken back; who is a member is membership.removed_at's to tell
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES membership ON DELETE CASCADE
);
CREATE UNIQUE INDEX scim_user_name ON scim_user (tenant_id, lower(user_name));
CREATE INDEX scim_user_external ON scim_user (tenant_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE scim_group (
    tenant_id   uuid NOT NULL,
    group_id    uuid NOT NULL,
    external_id text CHECK (length(external_id) BETWEEN 1 AND 254),
    PRIMARY KEY (tenant_id, group_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES member_group ON DELETE CASCADE
);
CREATE INDEX scim_group_external ON scim_group (tenant_id, external_id) WHERE external_id IS NOT NULL;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['scim_user', 'scim_group'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN tenant_id SET (n_distinct = 1)', t); -- see 0005_plans
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO dms_app USING (tenant_id = current_setting(''app.tenant_id'')::uuid)'
                       ' WITH CHECK (tenant_id = current_setting(''app.tenant_id'')::uuid)', t);
        EXECUTE format('CREATE POLICY operators ON %I FOR SELECT TO dms_ops USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO dms_ops', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON scim_user, scim_group TO dms_app;
GRANT UPDATE (name) ON membership TO dms_app; -- the organization's copy, what other members see
CREATE INDEX membership_with_removed ON membership (tenant_id, created_at, user_id); -- pages of all who were ever members

-- A member as SCIM shows them: members, and whom the directory keeps though they are deactivated. p_base: where the resources stand.
CREATE FUNCTION scim_user_json(p_tenant uuid, p_user uuid, p_base text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'schemas', jsonb_build_array('urn:ietf:params:scim:schemas:core:2.0:User'), 'id', m.user_id, 'externalId', s.external_id,
        'userName', coalesce(s.user_name, m.email),
        'name', nullif(jsonb_strip_nulls(jsonb_build_object('formatted', s.formatted, 'givenName', s.given_name, 'familyName', s.family_name)), '{}'),
        'displayName', CASE WHEN s.user_id IS NULL THEN m.name ELSE s.display_name END,
        'emails', jsonb_build_array(jsonb_build_object('value', coalesce(s.email, m.email))),
        'active', CASE WHEN m.removed_at IS NOT NULL THEN false WHEN s.user_id IS NULL THEN true ELSE s.active END,
        'roles', jsonb_build_array(jsonb_build_object('value', m.role)),
        'groups', (SELECT jsonb_agg(jsonb_build_object('value', g.id, 'display', g.name, '$ref', p_base || '/Groups/' || g.id) ORDER BY g.name)
                   FROM group_member x JOIN member_group g ON g.tenant_id = x.tenant_id AND g.id = x.group_id
                   WHERE x.tenant_id = p_tenant AND x.user_id = p_user),
        'meta', jsonb_build_object('resourceType', 'User', 'created', coalesce(s.created_at, m.created_at),
                                   'lastModified', coalesce(s.updated_at, m.created_at), 'location', p_base || '/Users/' || m.user_id)))
    FROM membership m LEFT JOIN scim_user s ON s.tenant_id = m.tenant_id AND s.user_id = m.user_id
    WHERE m.tenant_id = p_tenant AND m.user_id = p_user AND (m.removed_at IS NULL OR s.user_id IS NOT NULL)
$$;
GRANT EXECUTE ON FUNCTION scim_user_json(uuid, uuid, text) TO dms_app;

CREATE FUNCTION scim_group_json(p_tenant uuid, p_group uuid, p_base text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'schemas', jsonb_build_array('urn:ietf:params:scim:schemas:core:2.0:Group'), 'id', g.id, 'externalId', s.external_id, 'displayName', g.name,
        'members', (SELECT jsonb_agg(jsonb_build_object('value', x.user_id, '$ref', p_base || '/Users/' || x.user_id) ORDER BY x.created_at, x.user_id)
                    FROM group_member x WHERE x.tenant_id = p_tenant AND x.group_id = p_group),
        'meta', jsonb_build_object('resourceType', 'Group', 'created', g.created_at, 'lastModified', g.updated_at, 'location', p_base || '/Groups/' || g.id)))
    FROM member_group g LEFT JOIN scim_group s ON s.tenant_id = g.tenant_id AND s.group_id = g.id
    WHERE g.tenant_id = p_tenant AND g.id = p_group
$$;
GRANT EXECUTE ON FUNCTION scim_group_json(uuid, uuid, text) TO dms_app;

-- Of a resource what a client asked for: only these members (NULL: all), without those; names without regard to case.
CREATE FUNCTION scim_pick(p_body jsonb, p_only text[], p_without text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_only IS NULL AND p_without IS NULL THEN p_body ELSE
        (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(p_body) e
         WHERE e.key IN ('schemas', 'id')
            OR (p_only IS NULL OR lower(e.key) = ANY (p_only)) AND (p_without IS NULL OR NOT lower(e.key) = ANY (p_without))) END
$$;
GRANT EXECUTE ON FUNCTION scim_pick(jsonb, text[], text[]) TO dms_app;

-- scim_join: makes somebody a member of the caller's organization, or one again; a new person is without a password. Whom it is, or NULL: a
-- member already. Nothing of an existing person is changed or told.
CREATE FUNCTION scim_join(p_person uuid, p_email text, p_name text, p_role text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_tenant uuid := current_setting('app.tenant_id')::uuid;
    v_id     uuid;
BEGIN
    INSERT INTO dms.person (id, email, name) VALUES (p_person, p_email, p_name) ON CONFLICT (email) DO NOTHING;
    SELECT p.id INTO v_id FROM dms.person p WHERE p.email = p_email;
    PERFORM set_config('app.joining', v_tenant::text, true); -- 0009: else memberships that ended are not seen
    INSERT INTO dms.membership AS m (tenant_id, user_id, name, email, role) VALUES (v_tenant, v_id, p_name, p_email, p_role)
    ON CONFLICT ON CONSTRAINT membership_pkey DO UPDATE SET name = excluded.name, email = excluded.email, role = excluded.role, role_id = NULL,
        removed_at = NULL, created_at = now()
    WHERE m.removed_at IS NOT NULL;
    IF NOT FOUND THEN
        v_id := NULL;
    END IF;
    PERFORM set_config('app.joining', '', true);
    RETURN v_id;
END
$$;
ALTER FUNCTION scim_join(uuid, text, text, text) OWNER TO dms_search;
REVOKE ALL ON FUNCTION scim_join(uuid, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION scim_join(uuid, text, text, text) TO dms_app;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

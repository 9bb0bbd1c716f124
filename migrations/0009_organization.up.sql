-- 0009_organization: members that leave, invitations, groups, roles of an organization's own, and an organization that is to be deleted.
-- Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

-- --- the organization ---

ALTER TABLE tenant ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN deletes_at timestamptz; -- asked to be deleted: until then Owners may take it back
CREATE INDEX tenant_closing ON tenant (deletes_at) WHERE deletes_at IS NOT NULL;
-- The application writes only within its scope, and never the plan.
GRANT UPDATE (name, require_mfa, revision, deletes_at) ON tenant TO dms_app;

-- --- permissions and roles ---

-- The permissions of tbl/permissions.def by name; `dms migrate` and `dms up` write the rows, so that the two never differ.
CREATE TABLE permission (
    name text PRIMARY KEY,
    bit  int NOT NULL
);
GRANT SELECT ON permission TO dms_app, dms_ops;

CREATE TABLE role (
    tenant_id   uuid NOT NULL REFERENCES tenant,
    id          uuid NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX role_name ON role (tenant_id, lower(name));

CREATE TABLE role_permission (
    tenant_id  uuid NOT NULL,
    role_id    uuid NOT NULL,
    permission text NOT NULL REFERENCES permission ON DELETE CASCADE,
    PRIMARY KEY (tenant_id, role_id, permission),
    FOREIGN KEY (tenant_id, role_id) REFERENCES role ON DELETE CASCADE
);

-- --- members ---

-- Documents and versions belong to memberships, so that one which ended stays as a row, without any right: removed_at says so.
ALTER TABLE membership DROP CONSTRAINT membership_role_check;
ALTER TABLE membership ADD COLUMN role_id uuid, ADD COLUMN removed_at timestamptz, ADD COLUMN last_sign_in_at timestamptz,
    ADD CONSTRAINT membership_role_check CHECK (role IN ('Owner', 'Admin', 'Editor', 'Viewer', 'API_Only', 'Custom')),
    ADD CONSTRAINT membership_role_id_check CHECK ((role = 'Custom') = (role_id IS NOT NULL)),
    ADD FOREIGN KEY (tenant_id, role_id) REFERENCES role;
CREATE INDEX membership_by_time ON membership (tenant_id, created_at, user_id) WHERE removed_at IS NULL;
CREATE INDEX membership_owner ON membership (tenant_id, user_id) WHERE role = 'Owner' AND removed_at IS NULL;
CREATE INDEX membership_by_role ON membership (tenant_id, role_id) WHERE role_id IS NOT NULL;
CREATE INDEX membership_by_email ON membership (tenant_id, email);
CREATE INDEX api_key_by_user ON api_key (tenant_id, user_id) WHERE revoked_at IS NULL;
GRANT UPDATE (role, role_id, removed_at, last_sign_in_at) ON membership TO dms_app;

-- The functions that cross tenants do not see memberships that ended, whoever writes such a function. invitation_accept alone does, for the one
-- organization that it opens.
DROP POLICY functions ON membership;
CREATE POLICY functions ON membership TO dms_search
    USING (removed_at IS NULL OR tenant_id = nullif(current_setting('app.joining', true), '')::uuid) WITH CHECK (true);

-- --- invitations ---

CREATE TABLE invitation (
    tenant_id   uuid NOT NULL REFERENCES tenant,
    id          uuid NOT NULL,
    email       text NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    role        text NOT NULL CHECK (role IN ('Owner', 'Admin', 'Editor', 'Viewer', 'API_Only', 'Custom')),
    role_id     uuid, -- of an open one with role Custom
    token_hash  bytea NOT NULL UNIQUE, -- SHA-256 of 256 random bits, so the constraint tells nobody anything
    invited_by  uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, invited_by) REFERENCES membership,
    FOREIGN KEY (tenant_id, role_id) REFERENCES role
);
CREATE UNIQUE INDEX invitation_open ON invitation (tenant_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitation_by_time ON invitation (tenant_id, created_at, id) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitation_by_email ON invitation (tenant_id, email, created_at);

-- --- groups ---

CREATE TABLE member_group (
    tenant_id  uuid NOT NULL REFERENCES tenant,
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX member_group_name ON member_group (tenant_id, name);

CREATE TABLE group_member (
    tenant_id  uuid NOT NULL,
    group_id   uuid NOT NULL,
    user_id    uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES member_group ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES membership ON DELETE CASCADE
);
CREATE INDEX group_member_by_user ON group_member (tenant_id, user_id);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['role', 'role_permission', 'invitation', 'member_group', 'group_member'] LOOP
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
GRANT SELECT, INSERT, UPDATE, DELETE ON role, member_group TO dms_app;
GRANT SELECT, INSERT, DELETE ON role_permission, group_member TO dms_app;
GRANT SELECT, INSERT, UPDATE ON invitation TO dms_app;

-- --- through the wall ---

CREATE POLICY functions ON invitation TO dms_search USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (accepted_at, role_id) ON invitation TO dms_search;
GRANT UPDATE (name, email, role, role_id, removed_at, created_at) ON membership TO dms_search;

-- invitation_find: what an open invitation's token is for, and whether its address is somebody's already. No row for any other token, nor
-- once the organization is to be deleted.
CREATE FUNCTION invitation_find(p_token bytea)
RETURNS TABLE (tenant_id uuid, id uuid, email text, user_id uuid, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT i.tenant_id, i.id, i.email, p.id, p.password_hash
    FROM dms.invitation i JOIN dms.tenant t ON t.tenant_id = i.tenant_id LEFT JOIN dms.person p ON p.email = i.email
    WHERE i.token_hash = p_token AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now() AND t.deletes_at IS NULL
$$;

-- invitation_accept: uses it up and makes the membership. p_known: the person who proved to be it; null: a new one is made (p_person, p_name,
-- p_hash). The mail proved the address. No row, and nothing written by the caller's transaction: used up meanwhile, the address was taken
-- meanwhile, or a member already.
CREATE FUNCTION invitation_accept(p_token bytea, p_known uuid, p_person uuid, p_name text, p_hash text)
RETURNS TABLE (user_id uuid, name text, organization text, role text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_invitation dms.invitation;
    v_person     dms.person;
BEGIN
    SELECT * INTO v_invitation FROM dms.invitation i
    WHERE i.token_hash = p_token AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now() FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM dms.tenant t WHERE t.tenant_id = v_invitation.tenant_id AND t.deletes_at IS NOT NULL) THEN
        RETURN;
    END IF;
    IF p_known IS NULL THEN
        INSERT INTO dms.person (id, email, name, password_hash) VALUES (p_person, v_invitation.email, p_name, p_hash) ON CONFLICT (email) DO NOTHING;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    SELECT * INTO v_person FROM dms.person p WHERE p.id = coalesce(p_known, p_person) AND p.email = v_invitation.email;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE dms.person p SET verified_at = coalesce(p.verified_at, now()) WHERE p.id = v_person.id;
    PERFORM set_config('app.joining', v_invitation.tenant_id::text, true);
    INSERT INTO dms.membership AS m (tenant_id, user_id, name, email, role, role_id)
    VALUES (v_invitation.tenant_id, v_person.id, v_person.name, v_person.email, v_invitation.role, v_invitation.role_id)
    ON CONFLICT ON CONSTRAINT membership_pkey DO UPDATE SET name = excluded.name, email = excluded.email, role = excluded.role,
        role_id = excluded.role_id, removed_at = NULL, created_at = now()
    WHERE m.removed_at IS NOT NULL;
    IF NOT FOUND THEN
        PERFORM set_config('app.joining', '', true);
        RETURN;
    END IF;
    PERFORM set_config('app.joining', '', true);
    UPDATE dms.invitation i SET accepted_at = now(), role_id = NULL WHERE i.tenant_id = v_invitation.tenant_id AND i.id = v_invitation.id;
    RETURN QUERY SELECT v_person.id, v_person.name, t.name, v_invitation.role FROM dms.tenant t WHERE t.tenant_id = v_invitation.tenant_id;
END
$$;

DO $$
DECLARE
    f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['invitation_find(bytea)', 'invitation_accept(bytea, uuid, uuid, text, text)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO dms_search', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dms_app', f);
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

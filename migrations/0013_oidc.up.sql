-- 0013_oidc: signing in by an OpenID provider, and people without a password. Runs as dms_owner in one transaction. No table here has a tenant:
-- who somebody is comes before where they belong. Only the functions below touch them.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

ALTER TABLE person ALTER COLUMN password_hash DROP NOT NULL; -- NULL: signs in by a provider only

-- Who a provider says somebody is: (issuer, subject), never the address.
CREATE TABLE person_identity (
    id           uuid PRIMARY KEY,
    issuer       text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 300),
    subject      text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    person_id    uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    provider     text NOT NULL,
    email        text, -- what the provider called them when it was linked
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    UNIQUE (issuer, subject)
);
CREATE INDEX person_identity_by_person ON person_identity (person_id);

-- A browser on its way to a provider and back. Holds no secret: state and cookie as hashes, nonce and verifier are worked out of them.
CREATE TABLE oidc_flow (
    state_hash      bytea PRIMARY KEY,
    browser_hash    bytea NOT NULL,
    provider        text NOT NULL,
    person_id       uuid, -- who adds a way to sign in; NULL: nobody yet
    organization_id uuid,
    expires_at      timestamptz NOT NULL
);
CREATE INDEX oidc_flow_by_end ON oidc_flow (expires_at);

-- Signed in at the provider; the page fetches its tokens with this code, once.
CREATE TABLE oidc_handover (
    code_hash    bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,
    person_id    uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX oidc_handover_by_end ON oidc_handover (expires_at);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['person_identity', 'oidc_flow', 'oidc_handover'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY functions ON %I TO dms_search USING (true) WITH CHECK (true)', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, DELETE ON person_identity, oidc_flow, oidc_handover TO dms_search;
GRANT UPDATE (last_used_at) ON person_identity TO dms_search;
GRANT UPDATE (expires_at) ON oidc_flow, oidc_handover TO dms_search; -- to lock rows that are cleared away

-- oidc_begin: a browser sets out; what others left lying is cleared away, a little at a time.
CREATE FUNCTION oidc_begin(p_state bytea, p_browser bytea, p_provider text, p_person uuid, p_organization uuid, p_life interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    DELETE FROM dms.oidc_flow WHERE state_hash IN
        (SELECT f.state_hash FROM dms.oidc_flow f WHERE f.expires_at < now() ORDER BY f.expires_at LIMIT 20 FOR UPDATE SKIP LOCKED);
    DELETE FROM dms.oidc_handover WHERE code_hash IN
        (SELECT h.code_hash FROM dms.oidc_handover h WHERE h.expires_at < now() ORDER BY h.expires_at LIMIT 20 FOR UPDATE SKIP LOCKED);
    INSERT INTO dms.oidc_flow (state_hash, browser_hash, provider, person_id, organization_id, expires_at)
    VALUES (p_state, p_browser, p_provider, p_person, p_organization, now() + p_life)
$$;

-- oidc_take: it is back. Once; another browser's state is left as it is.
CREATE FUNCTION oidc_take(p_state bytea, p_browser bytea, p_provider text) RETURNS TABLE (person_id uuid, organization_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    DELETE FROM dms.oidc_flow f
    WHERE f.state_hash = p_state AND f.browser_hash = p_browser AND f.provider = p_provider AND f.expires_at > now()
    RETURNING f.person_id, f.organization_id
$$;

-- oidc_find: whose identity this is (known), else who has the address. safe: nobody but the holder of the address can have got at that account,
-- because it was confirmed or has no password. tenant_id NULL: the person belongs nowhere;
-- memberships that ended are not seen by dms_search (0009).
CREATE FUNCTION oidc_find(p_issuer text, p_subject text, p_email text)
RETURNS TABLE (person_id uuid, known boolean, safe boolean, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT w.id, w.known, p.verified_at IS NOT NULL OR p.password_hash IS NULL, home.tenant_id
    FROM (SELECT i.person_id AS id, true AS known FROM dms.person_identity i WHERE i.issuer = p_issuer AND i.subject = p_subject
          UNION ALL SELECT e.id, false FROM dms.person e WHERE e.email = p_email
          ORDER BY known DESC LIMIT 1) w
    JOIN dms.person p ON p.id = w.id
    LEFT JOIN LATERAL (SELECT m.tenant_id FROM dms.membership m WHERE m.user_id = w.id
                       ORDER BY m.created_at, m.tenant_id LIMIT 1) home ON true
$$;

-- oidc_register: a new person with an organisation of their own, as auth_register makes them, whose address the provider has confirmed.
CREATE FUNCTION oidc_register(p_person uuid, p_email text, p_name text, p_tenant uuid, p_organization text, p_plan text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    INSERT INTO dms.person (id, email, name, verified_at) VALUES (p_person, p_email, p_name, now());
    INSERT INTO dms.tenant (tenant_id, name, plan) VALUES (p_tenant, p_organization, p_plan);
    INSERT INTO dms.usage (tenant_id) VALUES (p_tenant);
    INSERT INTO dms.membership (tenant_id, user_id, name, email, role) VALUES (p_tenant, p_person, p_name, p_email, 'Owner');
END
$$;

-- oidc_link: from now on this identity is that person. False: it is already somebody (them, perhaps). p_confirmed: the person's address is
-- proved by this.
CREATE FUNCTION oidc_link(p_id uuid, p_issuer text, p_subject text, p_person uuid, p_provider text, p_email text, p_confirmed boolean)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    INSERT INTO dms.person_identity (id, issuer, subject, person_id, provider, email, last_used_at)
    VALUES (p_id, p_issuer, p_subject, p_person, p_provider, p_email, now()) ON CONFLICT (issuer, subject) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE dms.person SET verified_at = coalesce(verified_at, now()) WHERE id = p_person AND p_confirmed AND email = p_email;
    RETURN true;
END
$$;

-- oidc_hand_over: the code that the page will fetch its tokens with.
CREATE FUNCTION oidc_hand_over(p_code bytea, p_browser bytea, p_issuer text, p_subject text, p_life interval) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.person_identity SET last_used_at = now() WHERE issuer = p_issuer AND subject = p_subject;
    INSERT INTO dms.oidc_handover (code_hash, browser_hash, person_id, expires_at)
    SELECT p_code, p_browser, i.person_id, now() + p_life FROM dms.person_identity i WHERE i.issuer = p_issuer AND i.subject = p_subject
    RETURNING true
$$;

-- oidc_peek: whose code this is, not yet used up: a second factor may be asked for first.
CREATE FUNCTION oidc_peek(p_code bytea, p_browser bytea) RETURNS TABLE (user_id uuid, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT m.user_id, m.tenant_id FROM dms.oidc_handover h JOIN dms.membership m ON m.user_id = h.person_id
    WHERE h.code_hash = p_code AND h.browser_hash = p_browser AND h.expires_at > now() ORDER BY m.created_at, m.tenant_id LIMIT 1
$$;

-- oidc_exchange: whose code it was, and the organisation they come into. Once, from the same browser.
CREATE FUNCTION oidc_exchange(p_code bytea, p_browser bytea) RETURNS TABLE (user_id uuid, tenant_id uuid, role text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    WITH handed AS (
        DELETE FROM dms.oidc_handover h WHERE h.code_hash = p_code AND h.browser_hash = p_browser AND h.expires_at > now()
        RETURNING h.person_id)
    SELECT m.user_id, m.tenant_id, m.role FROM handed h JOIN dms.membership m ON m.user_id = h.person_id
    ORDER BY m.created_at, m.tenant_id LIMIT 1
$$;

-- oidc_identities: a person's own ways to sign in by a provider.
CREATE FUNCTION oidc_identities(p_person uuid) RETURNS SETOF person_identity
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT i.* FROM dms.person_identity i WHERE i.person_id = p_person ORDER BY i.created_at, i.id LIMIT 100
$$;

-- oidc_unlink: takes one away again; its issuer. '' and nothing done: it is the last way in of somebody without a password. NULL: there is none.
CREATE FUNCTION oidc_unlink(p_person uuid, p_id uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_issuer text;
BEGIN
    PERFORM FROM dms.person_identity i WHERE i.person_id = p_person ORDER BY i.id FOR UPDATE; -- two at once must not each leave the other's as the last
    IF (SELECT count(*) FROM dms.person_identity i WHERE i.person_id = p_person) = 1
       AND EXISTS (SELECT FROM dms.person_identity i WHERE i.person_id = p_person AND i.id = p_id)
       AND EXISTS (SELECT FROM dms.person p WHERE p.id = p_person AND p.password_hash IS NULL) THEN
        RETURN '';
    END IF;
    DELETE FROM dms.person_identity i WHERE i.person_id = p_person AND i.id = p_id RETURNING i.issuer INTO v_issuer;
    RETURN v_issuer;
END
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'dms'::regnamespace AND proname LIKE 'oidc\_%' LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO dms_search', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dms_app', f);
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

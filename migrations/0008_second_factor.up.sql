-- 0008_second_factor: one-time codes of an authenticator app with recovery codes, sessions that know whether they were opened with one, an end for
-- every session, and what a person of several organisations needs to go from one to the other.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

ALTER TABLE tenant ADD COLUMN IF NOT EXISTS require_mfa boolean NOT NULL DEFAULT false; -- members without a second factor may only set one up
ALTER TABLE session
    ADD COLUMN second_factor boolean NOT NULL DEFAULT false,   -- opened with one, or one was set up in it
    ADD COLUMN proved_at timestamptz NOT NULL DEFAULT now();   -- when its person last showed who they are; a switch of organisation keeps it
CREATE INDEX session_by_end ON session (expires_at); -- for session_expire, which crosses tenants
GRANT SELECT (expires_at), DELETE ON session TO dms_search;
CREATE INDEX session_by_time ON session (tenant_id, user_id, created_at DESC, id DESC) WHERE revoked_at IS NULL;

-- Of a person, who may belong to several organisations: no tenant column, and like person touched by the functions below only.
CREATE TABLE second_factor (
    user_id       uuid PRIMARY KEY REFERENCES person ON DELETE CASCADE,
    secret        bytea NOT NULL,             -- sealed under the pepper and bound to the person (crypto/seal.h)
    confirmed_at  timestamptz,                -- NULL: shown, but no code of it seen yet
    last_step     bigint NOT NULL DEFAULT -1, -- of the newest code that was taken: no code is taken twice
    tries         int NOT NULL DEFAULT 0,     -- since the last one that was right
    blocked_until timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE recovery_code (
    user_id uuid NOT NULL REFERENCES second_factor ON DELETE CASCADE,
    hash    bytea NOT NULL, -- keyed
    used_at timestamptz,
    PRIMARY KEY (user_id, hash)
);
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['second_factor', 'recovery_code'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY functions ON %I TO dms_search USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO dms_search', t);
    END LOOP;
END
$$;

-- second_factor_state: a row when this person has one.
CREATE FUNCTION second_factor_state(p_user uuid) RETURNS TABLE (codes_left bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT (SELECT count(*) FROM dms.recovery_code c WHERE c.user_id = p_user AND c.used_at IS NULL)
    FROM dms.second_factor f WHERE f.user_id = p_user AND f.confirmed_at IS NOT NULL
$$;

-- second_factor_begin: a secret to be confirmed, in place of one that never was. False: there is one in force.
CREATE FUNCTION second_factor_begin(p_user uuid, p_secret bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    INSERT INTO dms.second_factor AS f (user_id, secret) VALUES (p_user, p_secret)
    ON CONFLICT (user_id) DO UPDATE SET secret = p_secret, created_at = now() WHERE f.confirmed_at IS NULL;
    RETURN FOUND;
END
$$;

-- second_factor_try: what a code is compared with, counted before it is: of many at once each is one try. After p_free tries without a right one
-- the next has to wait p_wait seconds, then twice that and so on up to p_longest; sealed is NULL and wait_s > 0 until then.
CREATE FUNCTION second_factor_try(p_user uuid, p_free int, p_wait int, p_longest int)
RETURNS TABLE (sealed bytea, in_force boolean, wait_s int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    RETURN QUERY UPDATE dms.second_factor f SET tries = least(f.tries + 1, 1000000),
        blocked_until = CASE WHEN f.tries + 1 >= p_free
                             THEN clock_timestamp() + least(p_longest, p_wait * 2 ^ least(f.tries + 1 - p_free, 20)) * interval '1 second' END
    WHERE f.user_id = p_user AND coalesce(f.blocked_until, '-infinity') <= clock_timestamp()
    RETURNING f.secret, f.confirmed_at IS NOT NULL, 0;
    IF NOT FOUND THEN
        RETURN QUERY SELECT NULL::bytea, f.confirmed_at IS NOT NULL,
            greatest(1, ceil(extract(epoch FROM f.blocked_until - clock_timestamp())))::int
        FROM dms.second_factor f WHERE f.user_id = p_user;
    END IF;
END
$$;

-- second_factor_use: takes the code of a step, once, also of several at the same time.
CREATE FUNCTION second_factor_use(p_user uuid, p_step bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    UPDATE dms.second_factor f SET last_step = p_step, tries = 0, blocked_until = NULL
    WHERE f.user_id = p_user AND f.confirmed_at IS NOT NULL AND f.last_step < p_step;
    RETURN FOUND;
END
$$;

-- second_factor_use_code: takes a recovery code, once.
CREATE FUNCTION second_factor_use_code(p_user uuid, p_hash bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    UPDATE dms.recovery_code c SET used_at = now() WHERE c.user_id = p_user AND c.hash = p_hash AND c.used_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE dms.second_factor f SET tries = 0, blocked_until = NULL WHERE f.user_id = p_user;
    RETURN true;
END
$$;

-- second_factor_confirm: the first right code puts it in force, with its recovery codes. False: it is so already.
CREATE FUNCTION second_factor_confirm(p_user uuid, p_step bigint, p_hashes bytea[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    UPDATE dms.second_factor f SET confirmed_at = now(), last_step = p_step, tries = 0, blocked_until = NULL
    WHERE f.user_id = p_user AND f.confirmed_at IS NULL AND f.last_step < p_step;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM dms.recovery_code c WHERE c.user_id = p_user;
    INSERT INTO dms.recovery_code (user_id, hash) SELECT p_user, h FROM unnest(p_hashes) h;
    RETURN true;
END
$$;

CREATE FUNCTION second_factor_remove(p_user uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    DELETE FROM dms.second_factor f WHERE f.user_id = p_user AND f.confirmed_at IS NOT NULL;
    RETURN FOUND;
END
$$;

-- session_end_others: ends all sessions of a person, in every organisation, but one; their ids.
CREATE FUNCTION session_end_others(p_user uuid, p_keep uuid, p_reason text) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.session s SET revoked_at = now(), revoked_reason = p_reason
    FROM dms.membership m
    WHERE m.user_id = p_user AND s.tenant_id = m.tenant_id AND s.user_id = m.user_id AND s.id <> p_keep AND s.revoked_at IS NULL
    RETURNING s.id
$$;

-- session_expire: forgets sessions that ended a month ago, by the hour.
CREATE FUNCTION session_expire(p_most int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    WITH gone AS (
        DELETE FROM dms.session s
        USING (SELECT o.tenant_id, o.id FROM dms.session o WHERE o.expires_at < now() - interval '30 days' ORDER BY o.expires_at LIMIT p_most) old
        WHERE s.tenant_id = old.tenant_id AND s.id = old.id RETURNING 1)
    SELECT count(*) FROM gone
$$;

-- auth_organizations: where a person belongs, first joined first.
CREATE FUNCTION auth_organizations(p_user uuid) RETURNS TABLE (tenant_id uuid, name text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT m.tenant_id, t.name, m.role FROM dms.membership m JOIN dms.tenant t ON t.tenant_id = m.tenant_id
    WHERE m.user_id = p_user ORDER BY m.created_at, m.tenant_id LIMIT 100
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'dms'::regnamespace AND prosecdef
                 AND proname IN ('second_factor_state', 'second_factor_begin', 'second_factor_try', 'second_factor_use', 'second_factor_use_code',
                                 'second_factor_confirm', 'second_factor_remove', 'session_end_others', 'session_expire', 'auth_organizations') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO dms_search', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dms_app', f);
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

-- 0007_accounts: one-time links, the outbox of mail, and what slows guessing of passwords down. None of it belongs to a tenant: only the
-- functions below touch it, and operators do not read it (links are in there until they are mailed). Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

ALTER TABLE person ADD COLUMN locale text NOT NULL DEFAULT 'en' CHECK (locale IN ('en', 'de')); -- of their mail (tbl/languages.def)

-- What a mailed link proves. person_id NULL: asked for an address that nobody has; it is written all the same, so that time tells nothing.
CREATE TABLE person_token (
    hash       bytea PRIMARY KEY,  -- SHA-256 of 256 random bits
    address    bytea NOT NULL,     -- keyed hash of the address: how many were mailed to it lately
    person_id  uuid REFERENCES person ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('verify', 'reset', 'known')), -- known: nobody holds it, the mail it stands for is counted
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX person_token_by_address ON person_token (address, kind, created_at);
CREATE INDEX person_token_by_person ON person_token (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX person_token_by_end ON person_token (expires_at);

-- Mail that is to be sent. A row goes when it is.
CREATE TABLE mail_outbox (
    id         uuid PRIMARY KEY,
    template   text NOT NULL,
    recipient  text NOT NULL, -- '': nobody; sent nowhere
    locale     text NOT NULL,
    given      jsonb NOT NULL, -- the values of the template
    attempts   int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    next_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mail_outbox_by_time ON mail_outbox (next_at);

-- Failed sign-ins by keyed hash: of an account from an address, of an account, of an address. The count runs off by itself.
CREATE TABLE login_delay (
    key        bytea PRIMARY KEY,
    failures   real NOT NULL DEFAULT 0,
    at         timestamptz NOT NULL DEFAULT now(),
    until      timestamptz NOT NULL DEFAULT '-infinity' -- no attempt is looked at before
);
CREATE INDEX login_delay_by_time ON login_delay (at);

-- From where an account signed in: keyed hash of account and address. There failures elsewhere, and of other accounts, do not hold it up.
CREATE TABLE login_place (
    key bytea PRIMARY KEY,
    at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_place_by_time ON login_place (at);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['person_token', 'mail_outbox', 'login_delay', 'login_place'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY functions ON %I TO dms_search USING (true) WITH CHECK (true)', t);
    END LOOP;
END
$$;
CREATE POLICY functions ON session TO dms_search USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON person_token, mail_outbox, login_delay, login_place TO dms_search;
GRANT SELECT (tenant_id, id, user_id, revoked_at), UPDATE (revoked_at, revoked_reason) ON session TO dms_search;
GRANT UPDATE (locale) ON person TO dms_search;

-- --- one-time links ---

-- account_token_add: a link of that kind for whoever has the address; person_id and name are null when nobody has, or (verify) it is verified
-- already. No row: enough were mailed to it within the hour. The work is the same in all cases.
CREATE FUNCTION account_token_add(p_email text, p_address bytea, p_kind text, p_hash bytea, p_seconds int, p_most int)
RETURNS TABLE (person_id uuid, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_id   uuid;
    v_name text;
BEGIN
    IF (SELECT count(*) FROM dms.person_token t
        WHERE t.address = p_address AND t.kind = p_kind AND t.created_at > now() - interval '1 hour') >= p_most THEN
        RETURN;
    END IF;
    SELECT p.id, p.name INTO v_id, v_name FROM dms.person p WHERE p.email = p_email AND (p_kind <> 'verify' OR p.verified_at IS NULL);
    INSERT INTO dms.person_token (hash, address, person_id, kind, expires_at)
    VALUES (p_hash, p_address, v_id, p_kind, now() + make_interval(secs => p_seconds));
    RETURN QUERY SELECT v_id, v_name;
END
$$;

-- account_token_who: whose link this is, and the organisation in whose audit log its use stands: the first one joined.
CREATE FUNCTION account_token_who(p_hash bytea, p_kind text) RETURNS TABLE (person_id uuid, email text, name text, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT p.id, p.email, p.name,
           (SELECT m.tenant_id FROM dms.membership m WHERE m.user_id = p.id ORDER BY m.created_at, m.tenant_id LIMIT 1)
    FROM dms.person_token t JOIN dms.person p ON p.id = t.person_id
    WHERE t.hash = p_hash AND t.kind = p_kind AND t.expires_at > now()
$$;

-- The link's person, once: all of that kind go. Not for the application by itself.
CREATE FUNCTION account_token_use(p_hash bytea, p_kind text) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_id uuid;
BEGIN
    DELETE FROM dms.person_token t WHERE t.hash = p_hash AND t.kind = p_kind AND t.expires_at > now() RETURNING t.person_id INTO v_id;
    DELETE FROM dms.person_token t WHERE t.person_id = v_id AND t.kind = p_kind;
    RETURN v_id;
END
$$;

-- account_verify: false: the link is not good.
CREATE FUNCTION account_verify(p_hash bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_id uuid := dms.account_token_use(p_hash, 'verify');
BEGIN
    UPDATE dms.person SET verified_at = coalesce(verified_at, now()) WHERE id = v_id;
    RETURN FOUND;
END
$$;

-- Ends all sessions of a person, in all organisations, but one, and all their links. Not for the application by itself.
CREATE FUNCTION account_ends(p_person uuid, p_keep uuid) RETURNS SETOF uuid
LANGUAGE sql SET search_path = pg_catalog, dms, pg_temp AS $$
    DELETE FROM dms.person_token WHERE person_id = p_person;
    UPDATE dms.session s SET revoked_at = now(), revoked_reason = 'password changed'
    FROM dms.membership m
    WHERE m.user_id = p_person AND s.tenant_id = m.tenant_id AND s.user_id = p_person AND s.revoked_at IS NULL AND s.id IS DISTINCT FROM p_keep
    RETURNING s.id
$$;

-- account_reset: a new password by a link; the address is proved with it. sessions: the ended ones. No row: the link is not good.
CREATE FUNCTION account_reset(p_hash bytea, p_new text) RETURNS TABLE (sessions uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_id uuid := dms.account_token_use(p_hash, 'reset');
BEGIN
    IF v_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE dms.person SET password_hash = p_new, verified_at = coalesce(verified_at, now()) WHERE id = v_id;
    RETURN QUERY SELECT array(SELECT dms.account_ends(v_id, NULL));
END
$$;

-- account_change: a new password by who knows the old one's hash. No row: it is another meanwhile.
CREATE FUNCTION account_change(p_person uuid, p_old text, p_new text, p_keep uuid) RETURNS TABLE (sessions uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    UPDATE dms.person SET password_hash = p_new WHERE id = p_person AND password_hash = p_old;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT array(SELECT dms.account_ends(p_person, p_keep));
END
$$;

-- account_password: what changing the password needs, of who is signed in.
CREATE FUNCTION account_password(p_person uuid) RETURNS TABLE (email text, name text, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT p.email, p.name, p.password_hash FROM dms.person p WHERE p.id = p_person
$$;

CREATE FUNCTION account_locale(p_person uuid, p_locale text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.person SET locale = p_locale WHERE id = p_person
$$;

-- --- mail ---

-- mail_add: in the transaction of the act. A person of that address reads it in their own language.
CREATE FUNCTION mail_add(p_id uuid, p_template text, p_recipient text, p_locale text, p_given jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    INSERT INTO dms.mail_outbox (id, template, recipient, locale, given)
    VALUES (p_id, p_template, p_recipient, coalesce((SELECT p.locale FROM dms.person p WHERE p.email = p_recipient), p_locale), p_given)
$$;

-- mail_take: the mail that has waited longest, for so many seconds this sender's alone. age: seconds since it was put in.
CREATE FUNCTION mail_take(p_seconds int)
RETURNS TABLE (id uuid, template text, recipient text, locale text, given jsonb, attempts int, age double precision)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    WITH due AS MATERIALIZED ( -- as a sub-select it would be asked again for each row that waits, and take them all
        SELECT o.id FROM dms.mail_outbox o WHERE o.next_at <= now() ORDER BY o.next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE dms.mail_outbox m SET next_at = now() + make_interval(secs => p_seconds), attempts = m.attempts + 1
    FROM due WHERE m.id = due.id
    RETURNING m.id, m.template, m.recipient, m.locale, m.given, m.attempts, extract(epoch FROM now() - m.created_at)::double precision
$$;

-- mail_later, mail_done: not sent, to be tried again; sent, or given up.
CREATE FUNCTION mail_later(p_id uuid, p_seconds int) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.mail_outbox SET next_at = now() + make_interval(secs => p_seconds) WHERE id = p_id
$$;

CREATE FUNCTION mail_done(p_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    DELETE FROM dms.mail_outbox WHERE id = p_id
$$;

-- --- guessing ---

-- login_begin: before a password is looked at. Answers the seconds still to wait, or 0, and then counts the attempt as failed until login_passed
-- says otherwise: of a hundred guesses at once, too, only the first few are looked at. A count runs off by one in each_s seconds; above free each
-- failure doubles the wait, up to p_longest. Where the account signed in within 30 days, neither its failures elsewhere nor those of others there count.
CREATE FUNCTION login_begin(p_pair bytea, p_account bytea, p_address bytea, p_free int, p_address_free int, p_longest int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_known boolean := EXISTS (SELECT FROM dms.login_place WHERE key = p_pair AND at > now() - interval '30 days');
    v_now   timestamptz;
    v_until timestamptz;
    v_last  timestamptz := '-infinity';
    k       record;
BEGIN
    FOR k IN SELECT * FROM unnest(ARRAY[p_pair, p_account, p_address]) key WHERE key = p_pair OR NOT v_known ORDER BY key LOOP
        INSERT INTO dms.login_delay AS d (key) VALUES (k.key) ON CONFLICT (key) DO UPDATE SET at = d.at RETURNING d.until INTO v_until;
        v_last := greatest(v_last, v_until);
    END LOOP;
    v_now := clock_timestamp(); -- behind the locks
    IF v_last > v_now THEN
        RETURN least(ceil(extract(epoch FROM v_last - v_now))::int, p_longest);
    END IF;
    UPDATE dms.login_delay d SET failures = n.failures, at = v_now,
        until = CASE WHEN n.failures > n.free THEN v_now + make_interval(secs => least(p_longest, power(2, least(n.failures - n.free, 30)) / 2)) ELSE v_now END
    FROM (SELECT o.key, w.free, 1 + greatest(0, o.failures - extract(epoch FROM v_now - o.at) / w.each_s)::real AS failures
          FROM (VALUES (p_pair, p_free, 900), (p_account, p_free, 900), (p_address, p_address_free, 20)) w (key, free, each_s)
          JOIN dms.login_delay o ON o.key = w.key WHERE w.key = p_pair OR NOT v_known) n
    WHERE d.key = n.key;
    RETURN 0;
END
$$;

-- login_failed: the wait counts from the answer on. login_passed: it was the owner.
CREATE FUNCTION login_failed(p_pair bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.login_delay SET until = until + (clock_timestamp() - at), at = clock_timestamp() WHERE key = p_pair
$$;

CREATE FUNCTION login_passed(p_pair bytea, p_account bytea, p_address bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_known boolean := EXISTS (SELECT FROM dms.login_place WHERE key = p_pair AND at > now() - interval '30 days');
BEGIN
    PERFORM FROM dms.login_delay WHERE key = p_pair OR NOT v_known AND key IN (p_account, p_address) ORDER BY key FOR UPDATE; -- as login_begin does
    UPDATE dms.login_delay SET failures = 0, until = now() WHERE key = p_pair;
    IF NOT v_known THEN -- what login_begin counted; who comes in all the time takes nothing off what was counted of others
        UPDATE dms.login_delay SET failures = greatest(0, failures - 1), until = least(until, now()) WHERE key IN (p_account, p_address);
    END IF;
    INSERT INTO dms.login_place AS l (key) VALUES (p_pair) ON CONFLICT (key) DO UPDATE SET at = now() WHERE l.at < now() - interval '1 hour';
END
$$;

-- account_expire: what no longer counts, by the hour.
CREATE FUNCTION account_expire() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    WITH tokens AS (DELETE FROM dms.person_token WHERE expires_at < now() RETURNING 1),
         delays AS (DELETE FROM dms.login_delay WHERE at < now() - interval '1 day' AND until < now() RETURNING 1),
         places AS (DELETE FROM dms.login_place WHERE at < now() - interval '30 days' RETURNING 1)
    SELECT (SELECT count(*) FROM tokens) + (SELECT count(*) FROM delays) + (SELECT count(*) FROM places)
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'dms'::regnamespace AND proname ~ '^(account|mail|login)_' LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO dms_search', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        IF (SELECT prosecdef FROM pg_proc WHERE oid = f) THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dms_app', f);
        END IF;
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

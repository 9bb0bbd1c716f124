-- 0010_audit: the audit log as a chain (docs/audit.md). Acts insert their row and nothing else: no lock, no number. A trigger notes each new row in
-- audit_open, and a sealer in the workers gives what has been committed its number and hash in audit_chain, so that writers of one tenant never wait
-- for one another and a row of a long transaction is sealed when it comes. Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;
GRANT CREATE ON SCHEMA dms TO dms_search;

ALTER TABLE audit ADD COLUMN acting_for uuid; -- of a key: the member whose it is
ALTER TABLE audit ADD COLUMN outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('done', 'refused'));
CREATE INDEX audit_by_time ON audit (tenant_id, at DESC, id DESC);
CREATE INDEX audit_by_object ON audit (tenant_id, object_id, at DESC, id DESC) WHERE object_id IS NOT NULL;
CREATE INDEX audit_by_actor ON audit (tenant_id, actor_id, at DESC, id DESC) WHERE actor_id IS NOT NULL;

-- Rows without a number yet. Written and emptied by functions only; without foreign keys, which each act would pay for: the trigger sees real rows only.
CREATE TABLE audit_open (
    tenant_id uuid NOT NULL,
    audit_id  uuid NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, audit_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- hash = SHA-256 of the hash before (32 zero bytes for the first) and the bytes of audit_record. Numbers begin at 1 and have no gaps.
CREATE TABLE audit_chain (
    tenant_id uuid NOT NULL REFERENCES tenant,
    seq       bigint NOT NULL CHECK (seq > 0),
    audit_id  uuid NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    sealed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, audit_id),
    FOREIGN KEY (tenant_id, audit_id) REFERENCES audit
);

-- How long a chain was at a time, signed with the key of the access tokens.
CREATE TABLE audit_checkpoint (
    tenant_id uuid NOT NULL REFERENCES tenant,
    seq       bigint NOT NULL CHECK (seq > 0),
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    at        timestamptz NOT NULL,
    kid       text NOT NULL,
    signature bytea NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (tenant_id, seq)
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_open', 'audit_chain', 'audit_checkpoint'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO dms_app USING (tenant_id = current_setting(''app.tenant_id'')::uuid)'
                       ' WITH CHECK (tenant_id = current_setting(''app.tenant_id'')::uuid)', t);
        EXECUTE format('CREATE POLICY operators ON %I FOR SELECT TO dms_ops USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO dms_ops, dms_app', t);
        EXECUTE format('ALTER TABLE %I ALTER COLUMN tenant_id SET (n_distinct = 1)', t); -- as in 0005_plans
    END LOOP;
END
$$;
GRANT INSERT ON audit_checkpoint TO dms_app;
CREATE POLICY sealing ON audit FOR SELECT TO dms_search USING (true);
CREATE POLICY sealing ON audit_open TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY sealing ON audit_chain TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY sealing ON audit_checkpoint FOR SELECT TO dms_search USING (true);
GRANT SELECT ON audit, audit_checkpoint TO dms_search;
GRANT SELECT, INSERT, DELETE ON audit_open TO dms_search;
GRANT SELECT, INSERT ON audit_chain TO dms_search;

-- The canonical record: what is hashed, and what a line of an export begins with. Must never give other bytes for an old row: what is added to the
-- table later goes into a record of another "v", beside this one.
CREATE FUNCTION audit_record(a audit, p_seq bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object('v', 1, 'seq', p_seq, 'id', a.id, 'tenant_id', a.tenant_id,
        'at', to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'actor', json_build_object('type', a.actor_type, 'id', a.actor_id, 'acting_for', a.acting_for), 'action', a.action, 'outcome', a.outcome,
        'object', json_build_object('type', a.object_type, 'id', a.object_id), 'ip', a.ip, 'request_id', a.request_id,
        'before', a.before, 'after', a.after)::text
$$;

CREATE FUNCTION audit_opened() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    INSERT INTO dms.audit_open (tenant_id, audit_id) VALUES (NEW.tenant_id, NEW.id);
    RETURN NULL;
END
$$;

-- audit_seal: numbers and hashes for at most p_limit committed rows of any tenants; returns how many. One sealer at a time; another one, or another
-- worker's, has nothing to do. The lock is taken before anything is read, so that the heads are those that the one before has committed.
CREATE FUNCTION audit_seal(p_limit int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v        record;
    v_tenant uuid;
    v_seq    bigint;
    v_hash   bytea;
    v_count  bigint := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('dms.audit_seal', 0)) THEN
        RETURN 0;
    END IF;
    FOR v IN
        WITH part AS (
            SELECT o.tenant_id, o.audit_id FROM dms.audit_open o ORDER BY o.tenant_id, o.audit_id LIMIT p_limit
        ), gone AS (
            DELETE FROM dms.audit_open o USING part p WHERE o.tenant_id = p.tenant_id AND o.audit_id = p.audit_id RETURNING o.tenant_id, o.audit_id
        )
        SELECT a AS entry, a.tenant_id, a.id FROM gone g JOIN dms.audit a ON a.tenant_id = g.tenant_id AND a.id = g.audit_id
        ORDER BY a.tenant_id, a.id
    LOOP
        IF v_tenant IS DISTINCT FROM v.tenant_id THEN
            v_tenant := v.tenant_id;
            SELECT c.seq, c.hash INTO v_seq, v_hash FROM dms.audit_chain c WHERE c.tenant_id = v_tenant ORDER BY c.seq DESC LIMIT 1;
            IF NOT FOUND THEN
                v_seq := 0;
                v_hash := decode(repeat('00', 32), 'hex');
            END IF;
        END IF;
        v_seq := v_seq + 1;
        v_hash := sha256(v_hash || convert_to(dms.audit_record(v.entry, v_seq), 'UTF8'));
        INSERT INTO dms.audit_chain (tenant_id, seq, audit_id, hash) VALUES (v_tenant, v_seq, v.id, v_hash);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;

-- audit_checkpoint_due: heads with news since a checkpoint that is older than p_age, or without one.
CREATE FUNCTION audit_checkpoint_due(p_age interval, p_limit int) RETURNS TABLE (tenant_id uuid, seq bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT t.tenant_id, head.seq, head.hash
    FROM dms.tenant t
    CROSS JOIN LATERAL (SELECT c.seq, c.hash FROM dms.audit_chain c WHERE c.tenant_id = t.tenant_id ORDER BY c.seq DESC LIMIT 1) head
    LEFT JOIN LATERAL (SELECT k.seq, k.at FROM dms.audit_checkpoint k WHERE k.tenant_id = t.tenant_id ORDER BY k.seq DESC LIMIT 1) last ON true
    WHERE head.seq > coalesce(last.seq, 0) AND coalesce(last.at, '-infinity') <= now() - p_age
    LIMIT p_limit
$$;

-- audit_lag: how long the oldest row waits for its number; no tenant in it.
CREATE FUNCTION audit_lag() RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT coalesce(extract(epoch FROM now() - min(o.opened_at)), 0) FROM dms.audit_open o
$$;

-- What was there before this migration is sealed first.
ALTER TABLE audit NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_open NO FORCE ROW LEVEL SECURITY;
INSERT INTO audit_open (tenant_id, audit_id) SELECT tenant_id, id FROM audit;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_open FORCE ROW LEVEL SECURITY;
CREATE TRIGGER audit_opened AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_opened();

REVOKE ALL ON FUNCTION audit_record(audit, bigint), audit_opened(), audit_seal(int), audit_checkpoint_due(interval, int), audit_lag() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_record(audit, bigint) TO dms_app, dms_ops, dms_search;
GRANT EXECUTE ON FUNCTION audit_seal(int), audit_checkpoint_due(interval, int), audit_lag() TO dms_app;
ALTER FUNCTION audit_opened() OWNER TO dms_search;
ALTER FUNCTION audit_seal(int) OWNER TO dms_search;
ALTER FUNCTION audit_checkpoint_due(interval, int) OWNER TO dms_search;
ALTER FUNCTION audit_lag() OWNER TO dms_search;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

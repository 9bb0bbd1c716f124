-- 0001_init: tenants, people, documents and the work on them. Runs as dms_owner in one transaction, after bootstrap.sql.
-- Every table with tenant data has tenant_id first in its key, composite foreign keys, and forced row level security with the policy
-- written bare (an InitPlan wrapper ruins the planner's estimate). text + CHECK instead of enum: enum equality is not leakproof.

CREATE SCHEMA dms;
GRANT USAGE ON SCHEMA dms TO dms_app, dms_ops, dms_search;
GRANT CREATE ON SCHEMA dms TO dms_search; -- to own functions there; dms_search cannot log in
SET LOCAL search_path = dms, ext;

CREATE TABLE tenant (
    tenant_id  uuid PRIMARY KEY,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    plan       text NOT NULL CHECK (plan IN ('free', 'pro', 'enterprise', 'unlimited')),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A person. No tenant column: somebody may belong to several organisations. Only the functions at the end touch it.
CREATE TABLE person (
    id            uuid PRIMARY KEY,
    email         text NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    password_hash text NOT NULL,
    verified_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE membership (
    tenant_id  uuid NOT NULL REFERENCES tenant,
    user_id    uuid NOT NULL REFERENCES person,
    name       text NOT NULL, -- copied from person: what other members may see
    email      text NOT NULL,
    role       text NOT NULL CHECK (role IN ('Owner', 'Admin', 'Editor', 'Viewer', 'API_Only')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX membership_by_user ON membership (user_id, created_at);

-- A sign-in. Refresh tokens rotate inside it; a token out of order ends the session.
CREATE TABLE session (
    tenant_id        uuid NOT NULL,
    id               uuid NOT NULL,
    user_id          uuid NOT NULL,
    refresh_hash     bytea NOT NULL,  -- SHA-256 of the newest token
    previous_hash    bytea,           -- of the one before: answered again within the grace, else it is theft
    rotated_at       timestamptz NOT NULL DEFAULT now(),
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    revoked_at       timestamptz,
    revoked_reason   text,
    user_agent       text,
    ip               text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES membership ON DELETE CASCADE
);
CREATE INDEX session_by_user ON session (tenant_id, user_id);

CREATE TABLE api_key (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    user_id      uuid NOT NULL,                 -- who made it; its documents are owned by them
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    kind         text NOT NULL CHECK (kind IN ('sk', 'pk')),
    prefix       text NOT NULL,                 -- what may be shown of it
    secret_hash  bytea NOT NULL UNIQUE,         -- keyed hash; random, so the constraint tells nobody anything
    scopes       text[] NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES membership ON DELETE CASCADE
);

CREATE TABLE folder (
    tenant_id  uuid NOT NULL REFERENCES tenant,
    id         uuid NOT NULL,
    parent_id  uuid,
    name       text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
    depth      int NOT NULL CHECK (depth BETWEEN 1 AND 32),
    revision   bigint NOT NULL DEFAULT 1,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES folder
);
CREATE UNIQUE INDEX folder_name ON folder (tenant_id, parent_id, name) NULLS NOT DISTINCT;

-- The bytes of files, by content, per tenant: never shared across tenants.
CREATE TABLE blob (
    tenant_id  uuid NOT NULL REFERENCES tenant,
    sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size       bigint NOT NULL CHECK (size > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, sha256)
);

CREATE TABLE document (
    tenant_id        uuid NOT NULL REFERENCES tenant,
    id               uuid NOT NULL,
    folder_id        uuid,
    title            text NOT NULL CHECK (length(title) BETWEEN 1 AND 500),
    title_given      boolean NOT NULL DEFAULT false, -- by a person: a file's own title does not replace it
    name             text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
    mime_type        text NOT NULL,
    size             bigint NOT NULL,
    sha256           text NOT NULL,
    version          int NOT NULL DEFAULT 1 CHECK (version > 0),
    version_label    text,
    status           text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'processed', 'error', 'deleted')),
    processing_error jsonb,
    processing_note  text,
    lifecycle        text NOT NULL DEFAULT 'draft' CHECK (lifecycle IN ('draft', 'in_review', 'approved', 'effective', 'obsolete', 'on_hold')),
    classification   text NOT NULL DEFAULT 'internal' CHECK (classification IN ('public', 'internal', 'confidential', 'restricted')),
    type             text,
    tags             text[] NOT NULL DEFAULT '{}',
    metadata         jsonb NOT NULL DEFAULT '{}',
    page_count       int,
    chunk_count      int NOT NULL DEFAULT 0,
    language         text,
    owner_id         uuid NOT NULL,
    duplicate_of     uuid,
    revision         bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    processed_at     timestamptz,
    trashed_at       timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, folder_id) REFERENCES folder,
    FOREIGN KEY (tenant_id, owner_id) REFERENCES membership
);
CREATE INDEX document_by_time ON document (tenant_id, created_at DESC, id DESC) WHERE trashed_at IS NULL;
CREATE INDEX document_by_hash ON document (tenant_id, sha256);
CREATE INDEX document_by_status ON document (tenant_id, status) WHERE status <> 'processed';
CREATE INDEX document_by_folder ON document (tenant_id, folder_id, created_at DESC) WHERE folder_id IS NOT NULL;

CREATE TABLE document_version (
    tenant_id   uuid NOT NULL,
    document_id uuid NOT NULL,
    version     int NOT NULL CHECK (version > 0),
    name        text NOT NULL,
    mime_type   text NOT NULL,
    size        bigint NOT NULL,
    sha256      text NOT NULL,
    author_id   uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    text        text, -- as extracted, a form feed between pages; NULL until then
    PRIMARY KEY (tenant_id, document_id, version),
    FOREIGN KEY (tenant_id, document_id) REFERENCES document,
    FOREIGN KEY (tenant_id, sha256) REFERENCES blob,
    FOREIGN KEY (tenant_id, author_id) REFERENCES membership
);
CREATE INDEX document_version_by_blob ON document_version (tenant_id, sha256);

-- Passages of the current version of each document.
CREATE TABLE chunk (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    document_id uuid NOT NULL,
    version     int NOT NULL,
    ordinal     int NOT NULL,
    page        int,
    section     text NOT NULL DEFAULT '',
    text        text NOT NULL,
    tokens      int NOT NULL,
    tsv         tsvector NOT NULL, -- title weight A, text weight D; for scores and phrases, deliberately without an index
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, document_id, ordinal),
    FOREIGN KEY (tenant_id, document_id) REFERENCES document
);

CREATE TABLE embedding (
    tenant_id   uuid NOT NULL,
    model       text NOT NULL,
    chunk_id    uuid NOT NULL,
    document_id uuid NOT NULL,
    v           halfvec NOT NULL, -- of length 1; the index is per model, so that a model can be changed without an outage
    PRIMARY KEY (tenant_id, model, chunk_id),
    FOREIGN KEY (tenant_id, chunk_id) REFERENCES chunk ON DELETE CASCADE
);
CREATE INDEX embedding_by_document ON embedding (tenant_id, document_id);
CREATE INDEX embedding_by_chunk ON embedding (tenant_id, chunk_id);
CREATE INDEX embedding_minilm ON embedding USING hnsw ((v::halfvec(384)) halfvec_ip_ops) WHERE model = 'all-MiniLM-L6-v2';

-- The truth about work. Redis only wakes workers.
CREATE TABLE job (
    tenant_id    uuid NOT NULL REFERENCES tenant,
    id           uuid NOT NULL,
    kind         text NOT NULL,
    queue        text NOT NULL CHECK (queue IN ('default', 'embeddings', 'processing')),
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    priority     int NOT NULL DEFAULT 3 CHECK (priority BETWEEN 0 AND 9), -- 0 is the most urgent, as in Celery over Redis
    attempts     int NOT NULL DEFAULT 0,
    run_at       timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,                   -- last time a message was sent; the reconciler sends again what is due
    lease_until  timestamptz,
    fence        bigint NOT NULL DEFAULT 0,     -- grows with each claim; a commit with an old one is refused
    worker       text,
    document_id  uuid,
    version      int,
    payload      jsonb NOT NULL DEFAULT '{}',
    error        jsonb,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, document_id) REFERENCES document
);
CREATE INDEX job_open ON job (run_at) WHERE state IN ('queued', 'running'); -- for job_due, which crosses tenants by its policy
CREATE INDEX job_by_document ON job (tenant_id, document_id, created_at);
CREATE INDEX job_by_time ON job (tenant_id, created_at DESC, id DESC);

-- What a document went through, for people to see.
CREATE TABLE job_event (
    tenant_id   uuid NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    document_id uuid NOT NULL,
    version     int NOT NULL,
    job_id      uuid,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    step        text NOT NULL CHECK (step IN ('stored', 'queued', 'typed', 'text', 'chunks', 'vectors', 'done', 'error')),
    attempt     int NOT NULL DEFAULT 0,
    detail      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, document_id) REFERENCES document
);
CREATE INDEX job_event_by_document ON job_event (tenant_id, document_id, id);

CREATE TABLE audit (
    tenant_id   uuid NOT NULL REFERENCES tenant,
    id          uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    actor_type  text NOT NULL CHECK (actor_type IN ('user', 'api_key', 'system')),
    actor_id    uuid,
    action      text NOT NULL,
    object_type text NOT NULL,
    object_id   uuid,
    ip          text,
    request_id  text,
    before      jsonb,
    after       jsonb,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE idempotency (
    tenant_id   uuid NOT NULL REFERENCES tenant,
    user_id     uuid NOT NULL,
    route       text NOT NULL,
    key         text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 255),
    fingerprint text NOT NULL, -- of the body: the same key with another one is refused
    status      int NOT NULL,
    location    text,
    body        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id, route, key)
);
CREATE INDEX idempotency_by_age ON idempotency (tenant_id, created_at);

CREATE TABLE usage (
    tenant_id uuid PRIMARY KEY REFERENCES tenant,
    documents bigint NOT NULL DEFAULT 0,
    bytes     bigint NOT NULL DEFAULT 0
);

-- A document as the outside sees it; the one place that says so. Inlined into the statements that use it.
CREATE FUNCTION document_json(d document, owner_name text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', d.id, 'title', d.title, 'name', d.name, 'mime_type', d.mime_type, 'size', d.size, 'sha256', d.sha256,
        'version', d.version, 'version_label', d.version_label,
        'status', CASE WHEN d.trashed_at IS NULL THEN d.status ELSE 'deleted' END, 'processing_error', d.processing_error,
        'processing_note', d.processing_note, 'lifecycle', d.lifecycle, 'classification', d.classification, 'folder_id', d.folder_id,
        'tags', d.tags, 'type', d.type, 'metadata', d.metadata, 'page_count', d.page_count, 'chunk_count', d.chunk_count,
        'language', d.language, 'owner', json_build_object('id', d.owner_id, 'name', owner_name), 'duplicate_of', d.duplicate_of,
        'created_at', d.created_at, 'updated_at', d.updated_at, 'processed_at', d.processed_at, 'trashed_at', d.trashed_at)
$$;
GRANT EXECUTE ON FUNCTION document_json(document, text) TO dms_app;

-- The tag of that state: what people changed (the number before the first dot, which If-Match compares) and what processing changed.
CREATE FUNCTION document_etag(d document) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT d.revision || '.' || d.status || '.' || d.chunk_count || '.' || coalesce(extract(epoch FROM d.processed_at), 0)
$$;
GRANT EXECUTE ON FUNCTION document_etag(document) TO dms_app;

-- Row level security: one policy text for all, generated from the catalogue so that no table is forgotten.
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
             WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO dms_app USING (tenant_id = current_setting(''app.tenant_id'')::uuid)'
                       ' WITH CHECK (tenant_id = current_setting(''app.tenant_id'')::uuid)', t);
        EXECUTE format('CREATE POLICY operators ON %I FOR SELECT TO dms_ops USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO dms_ops', t);
    END LOOP;
END
$$;
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE person FORCE ROW LEVEL SECURITY;
CREATE POLICY functions ON person TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY functions ON tenant TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY functions ON usage TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY functions ON membership TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY functions ON api_key FOR SELECT TO dms_search USING (true);
CREATE POLICY functions ON job TO dms_search USING (true) WITH CHECK (true);
CREATE POLICY functions ON idempotency TO dms_search USING (true);

GRANT SELECT ON tenant TO dms_app;
GRANT SELECT ON membership TO dms_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON session, api_key, folder, document, chunk, embedding, job, idempotency TO dms_app;
GRANT SELECT, INSERT, UPDATE ON document_version, usage TO dms_app;
GRANT SELECT, INSERT ON blob, job_event, audit TO dms_app; -- append-only for the application
GRANT SELECT ON person TO dms_search;
GRANT INSERT ON person, tenant, membership, usage TO dms_search;
GRANT SELECT ON tenant, membership, api_key TO dms_search;
GRANT UPDATE (password_hash, verified_at) ON person TO dms_search;
GRANT SELECT, UPDATE ON job TO dms_search;
GRANT SELECT, DELETE ON idempotency TO dms_search;

-- The few doors through the wall. Each is owned by dms_search (cannot log in, no BYPASSRLS: its own policies above open just these
-- tables), fixes its search_path, and returns no more than its one caller needs.

-- register: a new person with an organisation of their own. False when the address is taken; nothing is written then.
CREATE FUNCTION auth_register(p_person uuid, p_email text, p_name text, p_hash text, p_tenant uuid, p_organization text, p_plan text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
BEGIN
    INSERT INTO dms.person (id, email, name, password_hash) VALUES (p_person, p_email, p_name, p_hash) ON CONFLICT (email) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO dms.tenant (tenant_id, name, plan) VALUES (p_tenant, p_organization, p_plan);
    INSERT INTO dms.usage (tenant_id) VALUES (p_tenant);
    INSERT INTO dms.membership (tenant_id, user_id, name, email, role) VALUES (p_tenant, p_person, p_name, p_email, 'Owner');
    RETURN true;
END
$$;

-- auth_add_member: a person of an existing organisation (operators' command and --demo).
CREATE FUNCTION auth_add_member(p_person uuid, p_email text, p_name text, p_hash text, p_tenant uuid, p_role text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
DECLARE
    v_id uuid;
BEGIN
    INSERT INTO dms.person (id, email, name, password_hash) VALUES (p_person, p_email, p_name, p_hash) ON CONFLICT (email) DO NOTHING;
    SELECT id INTO v_id FROM dms.person WHERE email = p_email;
    INSERT INTO dms.membership (tenant_id, user_id, name, email, role) VALUES (p_tenant, v_id, p_name, p_email, p_role)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

-- auth_password: what signing in needs before a tenant is known. The organisation asked for, or the first one joined.
CREATE FUNCTION auth_password(p_email text, p_organization text DEFAULT NULL)
RETURNS TABLE (user_id uuid, password_hash text, verified boolean, tenant_id uuid, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT p.id, p.password_hash, p.verified_at IS NOT NULL, m.tenant_id, m.role
    FROM dms.person p JOIN dms.membership m ON m.user_id = p.id JOIN dms.tenant t ON t.tenant_id = m.tenant_id
    WHERE p.email = p_email AND (p_organization IS NULL OR t.name = p_organization OR t.tenant_id::text = p_organization)
    ORDER BY m.created_at, m.tenant_id LIMIT 1
$$;

CREATE FUNCTION auth_rehash(p_user uuid, p_old text, p_new text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.person SET password_hash = p_new WHERE id = p_user AND password_hash = p_old
$$;

CREATE FUNCTION auth_verify(p_user uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.person SET verified_at = coalesce(verified_at, now()) WHERE id = p_user RETURNING true
$$;

-- auth_api_key: whose key this is, by its keyed hash; what is revoked or expired is not found.
CREATE FUNCTION auth_api_key(p_hash bytea)
RETURNS TABLE (tenant_id uuid, id uuid, user_id uuid, kind text, scopes text[], role text, plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT k.tenant_id, k.id, k.user_id, k.kind, k.scopes, m.role, t.plan
    FROM dms.api_key k JOIN dms.membership m USING (tenant_id, user_id) JOIN dms.tenant t USING (tenant_id)
    WHERE k.secret_hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;

-- job_due: what should be sent to the workers (again): due and not sent lately, or running past its lease. Marks it as sent.
CREATE FUNCTION job_due(p_limit int, p_resend interval)
RETURNS TABLE (tenant_id uuid, id uuid, kind text, queue text, priority int, attempts int, traceparent text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    UPDATE dms.job j SET published_at = now()
    FROM (SELECT d.tenant_id, d.id FROM dms.job d
          WHERE (d.state = 'queued' AND d.run_at <= now() OR d.state = 'running' AND d.lease_until < now())
            AND (d.published_at IS NULL OR d.published_at < now() - p_resend OR d.published_at < d.run_at)
          ORDER BY d.run_at LIMIT p_limit FOR UPDATE SKIP LOCKED) due
    WHERE j.tenant_id = due.tenant_id AND j.id = due.id
    RETURNING j.tenant_id, j.id, j.kind, j.queue, j.priority, j.attempts, j.traceparent
$$;

-- job_counts: depth and age per queue, for the metrics; no tenant in it.
CREATE FUNCTION job_counts() RETURNS TABLE (queue text, depth bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    SELECT j.queue, count(*), greatest(0, coalesce(extract(epoch FROM now() - min(j.run_at)), 0))
    FROM dms.job j WHERE j.state = 'queued' GROUP BY j.queue
$$;

CREATE FUNCTION idempotency_expire(p_age interval) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, dms, pg_temp AS $$
    WITH gone AS (DELETE FROM dms.idempotency WHERE created_at < now() - p_age RETURNING 1) SELECT count(*) FROM gone
$$;

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'dms'::regnamespace AND prosecdef LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO dms_search', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dms_app', f);
    END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA dms FROM dms_search;

-- bootstrap.sql: what only an administrator may do, once per cluster and database; `dms up` runs it in its private PostgreSQL, an
-- operator of a managed one runs it by hand (docs/operations.md). Passwords come as settings, so that no program builds SQL text:
--   SELECT set_config('dms.owner_password', $1, false), set_config('dms.app_password', $2, false), set_config('dms.ops_password', $3, false);
-- Running it again is harmless; it then only sets the passwords.
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['dms_owner', 'dms_app', 'dms_ops'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', r);
        END IF;
        EXECUTE format('ALTER ROLE %I PASSWORD %L', r, current_setting('dms.' || substr(r, 5) || '_password'));
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dms_search') THEN
        CREATE ROLE dms_search NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    GRANT dms_search TO dms_owner; -- so that migrations may hand functions over to it
    ALTER ROLE dms_app SET statement_timeout = '15s';
    ALTER ROLE dms_app SET lock_timeout = '5s';
    ALTER ROLE dms_app SET idle_in_transaction_session_timeout = '20s';
    ALTER ROLE dms_ops SET statement_timeout = '5min';
    EXECUTE format('ALTER DATABASE %I OWNER TO dms_owner', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO dms_app, dms_ops', current_database());
    EXECUTE format('ALTER DATABASE %I SET search_path = dms, ext', current_database());
    EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    CREATE SCHEMA IF NOT EXISTS ext;
    GRANT USAGE ON SCHEMA ext TO dms_owner, dms_app, dms_ops, dms_search;
END
$$;
CREATE EXTENSION IF NOT EXISTS vector SCHEMA ext;

-- registry.sql: where `dms migrate` notes what it has done. Runs as dms_owner before anything else; running it again is harmless.
-- A schema of its own, so that the first migration's way back (DROP SCHEMA dms) leaves it standing.
CREATE SCHEMA IF NOT EXISTS migration;
CREATE TABLE IF NOT EXISTS migration.applied (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL, -- SHA-256 of the script, as it was when it ran
    applied_at timestamptz NOT NULL DEFAULT now()
);
GRANT USAGE ON SCHEMA migration TO dms_app, dms_ops;
GRANT SELECT ON migration.applied TO dms_app, dms_ops;

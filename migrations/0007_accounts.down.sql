-- The way back from 0007_accounts. Links that were mailed, and mail that was not, are lost.
SET LOCAL search_path = dms, ext;
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'dms'::regnamespace AND proname ~ '^(account|mail|login)_' LOOP
        EXECUTE format('DROP FUNCTION %s', f);
    END LOOP;
END
$$;
DROP POLICY functions ON session;
REVOKE SELECT (tenant_id, id, user_id, revoked_at), UPDATE (revoked_at, revoked_reason) ON session FROM dms_search;
REVOKE UPDATE (locale) ON person FROM dms_search;
DROP TABLE person_token, mail_outbox, login_delay, login_place;
ALTER TABLE person DROP COLUMN locale;

-- 0015_erasure, back: organizations whose time has come stay.
SET LOCAL search_path = dms, ext;
DROP FUNCTION organization_erase(int);
DROP FUNCTION erase_some(regclass, uuid, int);
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'erasure' WHERE c.relnamespace = 'dms'::regnamespace LOOP
        EXECUTE format('DROP POLICY erasure ON %I', t);
    END LOOP;
END
$$;

-- The way back from 0008_second_factor: second factors are forgotten, sessions last as long as they are used.
SET LOCAL search_path = dms, ext;
DROP FUNCTION auth_organizations(uuid);
DROP FUNCTION session_expire(int);
DROP FUNCTION session_end_others(uuid, uuid, text);
DROP FUNCTION second_factor_state(uuid);
DROP FUNCTION second_factor_begin(uuid, bytea);
DROP FUNCTION second_factor_try(uuid, int, int, int);
DROP FUNCTION second_factor_use(uuid, bigint);
DROP FUNCTION second_factor_use_code(uuid, bytea);
DROP FUNCTION second_factor_confirm(uuid, bigint, bytea[]);
DROP FUNCTION second_factor_remove(uuid);
DROP TABLE recovery_code;
DROP TABLE second_factor;
REVOKE SELECT (expires_at), DELETE ON session FROM dms_search;
DROP INDEX session_by_end;
DROP INDEX session_by_time;
ALTER TABLE session DROP COLUMN second_factor, DROP COLUMN proved_at;
ALTER TABLE tenant DROP COLUMN IF EXISTS require_mfa;

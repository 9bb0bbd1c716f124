-- Hands the passwords of the roles to bootstrap.sql, as settings of this session.
SELECT set_config('dms.owner_password', $1, false), set_config('dms.app_password', $2, false), set_config('dms.ops_password', $3, false)

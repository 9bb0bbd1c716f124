-- It was not the password.
SELECT login_failed($1::bytea) IS NULL AS done

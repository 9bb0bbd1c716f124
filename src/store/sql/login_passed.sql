-- It was the owner.
SELECT login_passed($1::bytea, $2::bytea, $3::bytea) IS NULL AS done

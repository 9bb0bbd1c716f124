-- A stronger hash of the same password.
SELECT auth_rehash($1, $2, $3) IS NULL AS done

-- The address is its owner's.
SELECT auth_verify($1) AS done

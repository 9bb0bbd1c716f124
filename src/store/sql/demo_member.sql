-- A further person of the demo organisation.
SELECT auth_add_member($1, $2, $3, $4, $5, $6) AS added

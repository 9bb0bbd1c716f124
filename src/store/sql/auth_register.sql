-- A new person with an organisation of their own.
SELECT auth_register($1, $2, $3, $4, $5, $6, $7) AS created

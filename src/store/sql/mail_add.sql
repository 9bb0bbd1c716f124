-- A mail to be sent after the commit.
SELECT mail_add($1, $2, $3, $4, $5::jsonb) IS NULL AS done

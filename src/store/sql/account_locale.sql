-- The language of their mail.
SELECT account_locale($1, $2) IS NULL AS done

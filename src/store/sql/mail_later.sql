-- Not sent: again in $2 seconds.
SELECT mail_later($1, $2::int) IS NULL AS done

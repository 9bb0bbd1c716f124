-- Sent, or given up.
SELECT mail_done($1) IS NULL AS done

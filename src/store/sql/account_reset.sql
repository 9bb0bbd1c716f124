-- A new password by a mailed link; all sessions end.
SELECT array_to_string(sessions, ',') AS sessions FROM account_reset($1::bytea, $2)

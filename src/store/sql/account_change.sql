-- A new password; all sessions but $4 end.
SELECT array_to_string(sessions, ',') AS sessions FROM account_change($1, $2, $3, $4)

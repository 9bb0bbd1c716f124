-- Forgets at most $1 sessions that ended a month ago.
SELECT session_expire($1::int) AS gone

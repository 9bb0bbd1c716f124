-- Seconds to wait before a password is looked at; 0 counts the attempt.
SELECT login_begin($1::bytea, $2::bytea, $3::bytea, $4::int, $5::int, $6::int) AS wait

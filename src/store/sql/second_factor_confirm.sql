-- Puts the second factor of person $1 in force: $2 step of the code seen, $3 hashes of the recovery codes.
SELECT second_factor_confirm($1, $2::bigint, $3::bytea[]) AS confirmed

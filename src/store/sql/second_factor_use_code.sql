-- Takes the recovery code with hash $2, once.
SELECT second_factor_use_code($1, $2::bytea) AS taken

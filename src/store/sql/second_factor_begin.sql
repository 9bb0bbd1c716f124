-- A sealed secret $2 for person $1, to be confirmed; begun is false when one is in force.
SELECT second_factor_begin($1, $2::bytea) AS begun

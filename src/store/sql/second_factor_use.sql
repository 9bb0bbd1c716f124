-- Takes the code of step $2, once.
SELECT second_factor_use($1, $2::bigint) AS taken

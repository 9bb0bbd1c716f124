-- Takes the second factor of person $1 away, with its recovery codes.
SELECT second_factor_remove($1) AS removed

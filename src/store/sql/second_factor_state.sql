-- A row when person $1 has a second factor in force.
SELECT codes_left FROM second_factor_state($1)

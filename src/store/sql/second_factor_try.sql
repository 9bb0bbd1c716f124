-- What a code of person $1 is compared with, counted as a try: $2 tries are free, then $3 seconds of waiting that double up to $4.
SELECT sealed::text AS sealed, in_force, wait_s FROM second_factor_try($1, $2::int, $3::int, $4::int)

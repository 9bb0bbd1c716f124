-- Ends all sessions of person $1, in every organisation, but $2. $3: why.
SELECT session_end_others($1, $2, $3) AS id

-- The code with which the page fetches its tokens.
SELECT coalesce(oidc_hand_over($1::bytea, $2::bytea, $3, $4, $5::int * interval '1 second'), false) AS handed

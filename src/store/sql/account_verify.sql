-- The address is its owner's. False: the link is not good.
SELECT account_verify($1::bytea) AS done

-- A one-time link of kind $3 for whoever has address $1 ($2: its keyed hash). No row: enough were mailed lately.
SELECT person_id, name FROM account_token_add($1, $2::bytea, $3, $4::bytea, $5::int, $6::int)

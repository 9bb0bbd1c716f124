-- A browser sets out to a provider: hashes of state and cookie, the provider, who adds a way to sign in and where (null: nobody yet), seconds.
SELECT oidc_begin($1::bytea, $2::bytea, $3, $4::uuid, $5::uuid, $6::int * interval '1 second')

-- What is said about the $1 (folder, document) $2 from now on: restricted or not, and the grants; touches at most $8 folders and documents.
-- The tenant is that of the transaction.
SELECT access_set($1, $2::uuid, $3::boolean, $4::text[], $5::uuid[], $6::int[], $7::uuid, $8::int) IS NULL AS done

-- Folder $1 lies in $2 (null: at the top) from now on, with at most $3 folders and documents below it.
-- The tenant is that of the transaction.
SELECT folder_place($1::uuid, $2::uuid, $3::int) IS NULL AS done

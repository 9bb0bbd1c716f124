-- Takes $1 documents and $2 bytes of the tenant's plan ($3 documents, $4 bytes in all); touches no row when that does not fit.
UPDATE usage SET documents = documents + $1::bigint, bytes = bytes + $2::bigint
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND documents + $1::bigint <= $3::bigint AND bytes + $2::bigint <= $4::bigint

-- From now on this identity is that person; false: it is somebody already.
SELECT oidc_link($1::uuid, $2, $3, $4::uuid, $5, $6, $7::boolean) AS linked

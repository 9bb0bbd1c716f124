-- Notes a migration as done, in the transaction that did it.
INSERT INTO migration.applied (version, name, checksum) VALUES ($1, $2, $3)

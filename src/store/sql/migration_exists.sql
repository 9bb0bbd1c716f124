-- Whether this database was ever migrated.
SELECT to_regclass('migration.applied') IS NOT NULL AS found

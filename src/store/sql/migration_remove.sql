-- Notes a migration as taken back.
DELETE FROM migration.applied WHERE version = $1

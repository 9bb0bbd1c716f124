-- Takes back 0001_init: everything of the product in this database. The roles and the extension stay: they are bootstrap.sql's.
DROP SCHEMA dms CASCADE;

-- database.sql: the database of the private PostgreSQL; by the administrator, connected to the database postgres.
CREATE DATABASE dms TEMPLATE template0 ENCODING 'UTF8';

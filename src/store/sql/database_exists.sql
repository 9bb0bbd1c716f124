-- Whether the private PostgreSQL has its database yet.
SELECT count(*) AS databases FROM pg_database WHERE datname = 'dms'

-- For `dms doctor`: what this database is.
SELECT current_setting('server_version') AS version, (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms, pg_database_size(current_database()) AS bytes

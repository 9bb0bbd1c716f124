-- The extension's version, and whether the vectors' index can be used.
SELECT e.extversion AS version, coalesce(i.indisvalid AND i.indisready, false) AS index_valid
FROM pg_extension e LEFT JOIN pg_class c ON c.relname = 'embedding_minilm' LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE e.extname = 'vector'

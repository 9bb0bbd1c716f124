-- The document before a change, locked until the end of the transaction. num_nulls keeps a planner without statistics from an index of all live ones.
SELECT d.revision AS etag, d.version, document_json(d, m.name)::text AS body
FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1 AND num_nulls(d.trashed_at) = 1 FOR UPDATE OF d

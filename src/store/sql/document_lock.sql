-- The document before a change, locked until the end of the transaction.
SELECT d.revision AS etag, d.version, document_json(d, m.name)::text AS body
FROM document d JOIN membership m ON m.tenant_id = d.tenant_id AND m.user_id = d.owner_id
WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1 AND d.trashed_at IS NULL FOR UPDATE OF d

-- The document waits for its job again.
UPDATE document SET status = 'pending', processing_error = NULL, revision = revision + 1, updated_at = now()
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND version = $2

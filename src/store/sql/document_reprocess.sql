-- Read and cut and embed again: the current version, from the start.
UPDATE document SET status = 'pending', processing_error = NULL, processing_note = NULL, revision = revision + 1, updated_at = now()
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND trashed_at IS NULL
RETURNING version

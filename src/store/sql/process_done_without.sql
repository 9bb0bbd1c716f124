-- A document is done without vectors: there is no model.
UPDATE document SET status = 'processed', processed_at = now(), processing_error = NULL
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND version = $2::int AND status IN ('processing', 'error')

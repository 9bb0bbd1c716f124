-- A document whose processing has failed for good, if the job was about its current version.
UPDATE document SET status = 'error', processing_error = $3::jsonb
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND version = $2::int AND status <> 'deleted'

-- A document whose processing has failed for good, if the job was about its current version. What an older version said is found no more.
WITH d AS (
    UPDATE document SET status = 'error', processing_error = $3::jsonb,
        chunk_count = (SELECT count(*) FROM chunk c
                       WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.document_id = $1::uuid AND c.version = $2::int)
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND version = $2::int AND status <> 'deleted'
    RETURNING version)
DELETE FROM chunk c USING d WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.document_id = $1::uuid AND c.version <> d.version

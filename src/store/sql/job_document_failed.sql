-- A document whose processing has failed for good, if the job was about its current version. What an older version said is found no more.
WITH d AS (
    UPDATE document SET status = 'error', processing_error = $3::jsonb,
        chunk_count = (SELECT count(*) FROM chunk c
                       WHERE c.tenant_id = document.tenant_id AND c.document_id = document.id AND c.version = document.version)
    WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1::uuid AND version = $2::int AND status <> 'deleted'
    RETURNING tenant_id, id, version)
DELETE FROM chunk c USING d WHERE c.tenant_id = d.tenant_id AND c.document_id = d.id AND c.version <> d.version

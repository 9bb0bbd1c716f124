-- 0005_plans, back: the planner counts the tenants itself.
SET LOCAL search_path = dms, ext;
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['membership', 'session', 'api_key', 'folder', 'blob', 'document', 'document_version', 'chunk', 'job', 'job_event',
                             'audit', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN tenant_id RESET (n_distinct)', t);
    END LOOP;
END
$$;

DROP INDEX document_by_folder;
CREATE INDEX document_by_folder ON document (tenant_id, folder_id, created_at DESC) WHERE folder_id IS NOT NULL;
DROP INDEX document_by_status;
CREATE INDEX document_by_status ON document (tenant_id, status) WHERE status <> 'processed';

-- 0005_plans: the planner takes every tenant for a big one. A statement of the read lane is planned once for all tenants; planned for an average
-- or an unknown one, any index that begins with the tenant is as good as the right one, and the biggest tenant pays. With one distinct value, capped
-- by PostgreSQL at the share of the most common, the plan is that of the biggest. Takes effect with the next ANALYZE.
SET LOCAL search_path = dms, ext;
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['membership', 'session', 'api_key', 'folder', 'blob', 'document', 'document_version', 'chunk', 'job', 'job_event',
                             'audit', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN tenant_id SET (n_distinct = 1)', t);
    END LOOP;
END
$$;

-- In the order of a page.
DROP INDEX document_by_folder;
CREATE INDEX document_by_folder ON document (tenant_id, folder_id, created_at DESC, id DESC) WHERE folder_id IS NOT NULL;
DROP INDEX document_by_status;
CREATE INDEX document_by_status ON document (tenant_id, status, created_at DESC, id DESC) WHERE status <> 'processed';

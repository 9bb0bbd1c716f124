-- 0006_pages: lists that had no index in the order of their pages. Found by test/store/test_plans.py.
SET LOCAL search_path = dms, ext;
CREATE INDEX api_key_by_time ON api_key (tenant_id, created_at DESC, id DESC) WHERE revoked_at IS NULL;
CREATE INDEX job_by_state ON job (tenant_id, state, created_at DESC, id DESC) WHERE state <> 'succeeded'; -- the few that people look for

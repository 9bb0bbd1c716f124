-- About how many passages the tenant has, and how many documents.
SELECT kw.passage_count() AS passages, coalesce((SELECT documents FROM usage WHERE tenant_id = current_setting('app.tenant_id')::uuid), 0) AS documents

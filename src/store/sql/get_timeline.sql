-- What a document went through, oldest first, the last 1,000 lines.
SELECT coalesce(json_agg(json_build_object('at', e.at, 'version', e.version, 'step', e.step, 'attempt', e.attempt, 'job_id', e.job_id, 'detail', e.detail)
           ORDER BY e.id), '[]') AS items, NULL::text AS next_key, NULL::bigint AS total
FROM (SELECT * FROM job_event WHERE tenant_id = current_setting('app.tenant_id')::uuid AND document_id = $1 ORDER BY id DESC LIMIT 1000) e
HAVING EXISTS (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1)

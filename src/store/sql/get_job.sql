-- One job, of no document or of one that the person may see.
SELECT job_json(p)::text AS body
FROM job p WHERE p.tenant_id = current_setting('app.tenant_id')::uuid AND p.id = $1
  AND (p.document_id IS NULL
       OR (SELECT 1 FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = p.document_id LIMIT 1) IS NOT NULL)
